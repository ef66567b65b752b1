"""Recipes, studies and options that a stranger wrote: TOML files and command lines."""

import itertools
import random
from collections.abc import Iterator

from hostile import odd
from hostile.case import HERE, Case
from hostile.worker import World

COUNT = 700
DATA = "shapes(size=16, classes=2, images=12)"
SMALL = ("--epochs", "1", "--batch-size", "8", "--threads", "1", "--precision", "fp32",
         "--patience", "0", "--set", "validation=0.25", "--name", "n")  # fmt: skip
BASE = ("train", "--data", DATA, "--model", "densenet(depth=10, growth=4)", *SMALL)
NUMBERS = ("-1", "0", "1", "-0.1", "2.5", "1e300", "-1e300", "1e-300", "nan", "inf", "-inf",
           "1000000000", "10**9", "1" + "0" * 40, "9" * 5000, "0xffffffffff", "1_0", "1e400",
           "True", "None", "''", "'x'", "[]", "()", "(1,)", "[1e9]", "[0.5, 0.1]", "{}",
           "x", "1j", "b'x'", "...", "lambda: 0", "__import__('os')", "(" * 300)  # fmt: skip
WORDS = (
    "", " ", "-", "--", "\x00", odd.ESCAPE, "x" * 100_000, "-" * 50_000, "(" * 10_000, "[" * 50_000,
    "~" * 10_000, "9" * 6000, "a" + ".a" * 30_000, "=" * 5000, "|" * 5000, "flip|" * 5000, "(((",
    "a=b=c", "/dev/zero", "/dev/stdin", "/proc/self/mem", "../outside", "nan", "1e999", "None",
    "wrn(" * 200 + ")" * 200, "wrn(depth=" + "-" * 20_000 + "1)", "wrn(depth=2**2**2**2**2**2)",
    "é" * 300, "\u202e", "\n", "a\nb", "wrn(**{})", "wrn(*[1])", "wrn(depth=[x for x in y])",
    "f'{1}'", "evil.py:net", "/dev/zero.py:net", "a.py:" + "b" * 9000, "NUL", ".", "..", "%s%n",
    "wrn(width=" + "1+" * 20_000 + "1)", "wrn(width=" + "not " * 20_000 + "1)", "x\udc80",
)  # fmt: skip
FLAGS = ("--title", "--source", "--engine", "--data", "--model", "--weights", "--strategy",
         "--augment", "--loss", "--optimizer", "--schedule", "--resolution", "--epochs",
         "--batch-size", "--patience", "--select", "--micro-batch", "--ema", "--precision",
         "--validation", "--limit", "--balance", "--folds", "--fold", "--seed", "--data-dir",
         "--pretrained", "--lr", "--image-size", "--resize", "--image-column", "--label-column",
         "--label-pattern", "--group", "--test", "--labels", "--set", "--budget", "--device",
         "--threads", "--out", "--name", "--trust", "--resume")  # fmt: skip
SETS = ("model", "model.depth", "model.", ".depth", "optimizer.lr", "data.size", "x",
        "model.depth.x", "sources", "seed", "augment", "title", "schedule.warmup")  # fmt: skip
DEVICES = ("meta", "cuda:99", "cpu:7", "mps", "xla", "cuda:-1", "cuda:x", "CPU", "opengl", "vulkan",
           "privateuseone", "cpu,cuda")  # fmt: skip
_FIELDS = ("title", "source", "engine", "data", "model", "weights", "strategy", "augment", "loss",
           "optimizer", "schedule", "resolution", "epochs", "batch_size", "patience", "select",
           "micro_batch", "ema", "precision", "validation", "limit", "balance", "folds", "fold",
           "seed", "sources")  # fmt: skip
TOML_VALUES = (
    "-1", "0", "1", "1.5", "nan", "inf", "-inf", "1e308", "9" * 5000, "9" * 25, "0x" + "f" * 5000,
    "true", "''", "'x'", "[]", "[[]]", "{}", "{a = 1}", "1979-05-27", "07:32:00",
    "1979-05-27T00:32:00-07:00", "'" + "x" * 200_000 + "'", '"\\u001b[2J"', '"\\u0000"',
    "[" * 20_000, "{a=" * 3000, "[" + "1," * 100_000 + "]", "'wrn(depth=10**9)'", "'\ud7ff'",
    '"""' + "\n" * 5000 + '"""', "'" + "(" * 5000 + "'", "'" + "-" * 50_000 + "1'",
    "'evil.py:net'", "'/dev/zero'", "'../outside/photos'", "'sgd(lr=1e300)'", "'muon(lr=1e300)'",
    "'flip | ' + 'x'", "0b11111111", "1_000", "+1", "'none'", "'auto'",
)  # fmt: skip
TOML = {
    "nothing": b"",
    "30,000 dots": b"a" + b".a" * 30_000 + b" = 1",
    "30,000 dots in a table": b"[a" + b".a" * 30_000 + b"]\nb = 1",
    "many dotted keys": b"".join(b"a%d" % k + b".a" * 500 + b" = 1\n" for k in range(800)),
    "brackets": b"[" * 100_000,
    "open brackets of a value": b"a = " + b"[" * 100_000,
    "inline tables": b"a = " + b"{a=" * 50_000,
    "many tables": b"".join(b"[t%d]\n" % k for k in range(80_000)),
    "many tables of one name": b"[[a]]\n" * 100_000,
    "a key twice": b"epochs = 1\nepochs = 2\n",
    "Latin-1": b'title = "\xe4"',
    "UTF-16": 'title = "x"'.encode("utf-16"),
    "a mark of byte order": b"\xef\xbb\xbfepochs = 1",
    "zeros": bytes(5000),
    "escapes in a key": b'"\\u001b[2J" = 1',
    "a long key": b'"' + b"k" * 500_000 + b'" = 1',
    "many unknown keys": b"".join(b"k%d = 1\n" % k for k in range(50_000)),
    "more than a MB": b"# " + b"x" * 2_000_000,
    "quotes": b'"' * 100_000,
    "a text of escapes": b'title = "' + b"\\u001b" * 50_000 + b'"',
    "carriage returns": b"epochs = 1\rseed = 2\r",
}
# of a recipe, each alone
LINES: tuple[str, ...] = (
    'epochs = "three"', "epochs = 0", "epochs = -1", "epochs = 1e9", "epochs = " + "9" * 20,
    "epochs = 0x" + "f" * 3000, "seed = 1.5", "seed = -1", 'model = "no_such()"', "model = 3",
    'model = "densenet(depth=10, growth=1000000000)"', 'model = "densenet(depth=10, growth=-4)"',
    'model = "evil.py:net"', 'model = "/dev/zero:net"', 'model = "../outside/evil.py:net"',
    'model = "wrn(depth=10**9)"', 'model = "' + "densenet(" * 500 + '"',
    'model = "\\u001b]0;x\\u0007"',
    'model = "resnet(depth=20)"', 'data = "/dev/zero"', 'data = "../outside/photos"',
    'data = "digits"', 'data = "nothing/here"', 'data = ""', "data = []", 'engine = "tensorflow"',
    'engine = "jax"', 'weights = "../outside/folder/best.safetensors"', 'weights = "/dev/zero"',
    'augment = "flip | flip | nothing"', 'augment = "' + "flip | " * 3000 + 'flip"',
    'augment = "pad_crop(pixels=1000000000)"', 'loss = "cross_entropy(label_smoothing=2)"',
    'optimizer = "sgd(lr=nan)"', 'optimizer = "muon(lr=1e300)"', 'optimizer = "adam(lr=-1)"',
    'schedule = "steps(at=[])"', 'schedule = "steps(at=[0.5], factor=1e308)"',
    "batch_size = 0", "batch_size = 1000000000000", "micro_batch = -3", "ema = 2.0", "ema = nan",
    'precision = "fp4"', "validation = 1.0", "validation = -0.5", "limit = -1", "folds = 1000000",
    "fold = 7", 'balance = "x"', "patience = -1", 'select = "nothing"', 'resolution = "[1e9]"',
    "sources = 3", 'sources = {"evil.py" = "x"}', "unknown = 1", 'title = "' + "x" * 100_000 + '"',
    'title = "\\u001b[2J"', "= 1", "[[[[", "[" * 20_000, "a" + ".a" * 5000 + " = 1",
)  # fmt: skip
STUDIES = {
    "a grid of twelve fields": 'base = "digits"\n[grid]\n'
    + "".join(f'"{f}" = {list(range(1, 11))}\n' for f in _FIELDS[12:22]),
    "a grid of a million seeds": f'base = "digits"\n[grid]\nseed = {list(range(100_000))}\n'
    f"limit = {list(range(1000))}\n",
    "many variants": 'base = "digits"\n'
    + "".join(f"[vary.v{k}]\nseed = {k}\n" for k in range(9999)),
    "a base of itself": 'base = "s.toml"\n[vary.a]\nseed = 1\n',
    "a base outside": 'base = "../outside/notes.toml"\n[vary.a]\nseed = 1\n',
    "a base of zeros": 'base = "/dev/zero"\n[vary.a]\nseed = 1\n',
    "no variants": 'base = "digits"\n',
    "variants that are a list": 'base = "digits"\nvary = [1, 2]\n',
    "variants that are texts": 'base = "digits"\nvary = {a = "digits"}\n',
    "a grid of tables": 'base = "digits"\n[grid]\nmodel = [{a = 1}]\n',
    "a grid of lists": 'base = "digits"\n[grid]\nmodel = [["x"], []]\n',
    "a grid of dates": 'base = "digits"\n[grid]\nseed = [1979-05-27]\n',
    "a grid of nothing": 'base = "digits"\n[grid]\nseed = []\n',
    "a thousand seeds": 'base = "digits"\nseeds = 1000\nfolds = 1000\n[vary.a]\nseed = 1\n',
    "seeds of 10^12": 'base = "digits"\nseeds = 1000000000000\n[vary.a]\nseed = 1\n',
    "labels of escapes": 'base = "digits"\n[vary."\\u001b[2J"]\nseed = 1\n',
    "a label that leads out": 'base = "digits"\n[vary."../../outside/x"]\nseed = 1\n',
    "a label of 300 letters": f'base = "digits"\n[vary.{"x" * 300}]\nseed = 1\n',
    "an empty label": 'base = "digits"\n[vary.""]\nseed = 1\n',
    "a metric of escapes": 'base = "digits"\nmetric = "\\u001b[2J"\n[vary.a]\nseed = 1\n',
    "a reference of nan": 'base = "digits"\n[vary.a]\nseed = 1\n[reference]\nsource = "x"\n'
    "values = {a = nan}\n",
    "overrides of a thousand": 'base = "digits"\n[vary.a]\nseed = 1\n[overrides]\n'
    + "".join(f'"model.x{k}" = 1\n' for k in range(5000)),
    "an override of dots": 'base = "digits"\n[vary.a]\nseed = 1\n[overrides]\n'
    f'"a{".a" * 9000}" = 1\n',
}


def furnish(world: World) -> None:
    """Make nothing: the commands need none."""


def cases(seed: int) -> list[Case]:
    """Return all cases, in a random order that depends on the seed."""
    chance = random.Random(seed)
    fixed = [*_files(), *_devices(), *_sets()]
    drawn = [*_parts(), *_words()]
    chance.shuffle(drawn)
    made = fixed + drawn[: COUNT - len(fixed)]
    chance.shuffle(made)
    return made


def _toml(name: str, content: bytes, *verb: str) -> Case:
    file = "s.toml" if verb[0] == "study" else "r.toml"

    def build(world):  # type: ignore[no-untyped-def]
        (world / HERE / file).write_bytes(content)

    twin = (
        ("train", "digits", "--dry-run")
        if verb[0] == "train"
        else ("study", "quickstart", "--dry-run")
    )
    return Case(f"{verb[0]} {file} of {name}", (*verb[:1], file, *verb[1:]), build, twin=twin)


def _files() -> Iterator[Case]:
    for name, content in TOML.items():
        yield _toml(name, content, "train", "--dry-run")
        yield _toml(name, content, "study", "--dry-run")
    for name, text in STUDIES.items():
        yield _toml(name, text.encode(), "study", "--dry-run")
    combined = itertools.product(_FIELDS, TOML_VALUES)
    for field, value in list(combined)[::7]:
        content = f"{field} = {value}\n".encode("utf-8", "surrogatepass")
        yield _toml(f"{field} = {value[:20]!r}", content, "train", "--dry-run", "--json")


def _devices() -> Iterator[Case]:
    for device in DEVICES:
        yield Case(f"device {device}", (*BASE, "--device", device), may_change=(f"{HERE}/runs",))


def _sets() -> Iterator[Case]:
    for key, value in list(itertools.product(SETS, NUMBERS))[::5]:
        argv = (*BASE, "--set", f"{key}={value}")
        yield Case(f"--set {key}={value[:20]}", argv, may_change=(f"{HERE}/runs",), twin=BASE)


def _words() -> Iterator[Case]:
    for flag, word in itertools.product(FLAGS, WORDS):
        if "\x00" in word or len(word) > 131_000:
            continue  # no command line holds it
        argv = ("train", "--dry-run", flag, word) if flag == "--epochs" else (*BASE, flag, word)
        allowed = ("",) if flag == "--out" else (f"{HERE}/runs",)
        yield Case(f"{flag} {word[:20]!r}", argv, may_change=allowed, twin=BASE)
    verbs = (("report",), ("runs",), ("evaluate",), ("predict",), ("models", "show"), ("recipes",),
             ("data", "check"), ("data", "fetch"), ("study",), ("train",), ("train", "--resume"),
             ("models",), ("predict", "latest"), ())  # fmt: skip
    for verb, word in itertools.product(verbs, WORDS):
        if "\x00" not in word and not (verb in (("data", "fetch"),) and word in ("", " ")):
            yield Case(f"{' '.join(verb)} {word[:20]!r}", (*verb, word), harmless=False)


def _parts() -> Iterator[Case]:
    """Yield trainings with an odd value of each option of each part."""
    from hundredfold import spec
    from hundredfold.recipe._parts import PACKAGES

    for field, package in PACKAGES.items():
        for part in spec.names(package):
            if part in ("timm", "cifar10", "cifar100", "arrays", "image_folder"):
                continue
            for option in spec.describe(part, package).options:
                for value in NUMBERS:
                    text = f"{part}({option.name}={value})"
                    argv = (*BASE, "--set", f"{field}={text}")
                    allowed = (f"{HERE}/runs",)
                    yield Case(f"{field} {text[:60]}", argv, may_change=allowed, twin=BASE)
