// The network: unpacked once, then asked one question at a time.

const facts = JSON.parse(document.getElementById("facts").textContent);

const OLD = "This browser is too old for this page. It needs Chrome 103, Firefox 113, Safari 16.4, or newer.";

const fromBase64 = (text) => {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) bytes[k] = letters.charCodeAt(k);
  return bytes;
};

// The gzipped content of a block of this page; the block is then empty, which frees its memory.
const unpack = async (id) => {
  const block = document.getElementById(id);
  const packed = fromBase64(block.textContent);
  block.textContent = "";
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
};

const open = async () => {
  if (!self.DecompressionStream || !self.WebAssembly) throw new Refused(OLD);
  const [runtime, wasm, model] = await Promise.all(["runtime", "wasm", "network"].map(unpack));
  const url = URL.createObjectURL(new Blob([runtime], { type: "text/javascript" }));
  const ort = await import(url);
  URL.revokeObjectURL(url);
  Object.assign(ort.env.wasm, { wasmBinary: wasm, numThreads: 1, proxy: false });
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(new Uint8Array(model), {
    executionProviders: ["wasm"],
  });
  return { ort, session };
};

const opened = open().catch((error) => {
  if (error instanceof Refused) throw error;
  throw new Refused(`The network cannot be opened: ${error.message ?? error}. ${OLD}`);
});
opened.catch(() => {}); // whoever asks gets the error

let turn = Promise.resolve();
const inTurn = (task) => {
  turn = turn.then(task, task);
  return turn;
};

// pixels: uint8 (count, height, width, 3) -> probabilities and logits (count x classes), unknown
// (count), and the milliseconds it took. One call runs at a time.
const run = async (pixels, count, height, width) => {
  const { ort, session } = await opened;
  return inTurn(async () => {
    const images = new ort.Tensor("uint8", pixels, [count, height, width, 3]);
    const started = performance.now();
    const { probabilities, logits, unknown } = await session.run({ images });
    return {
      probabilities: probabilities.data,
      logits: logits.data,
      unknown: unknown.data,
      milliseconds: performance.now() - started,
    };
  });
};

// Larger pictures are resized here, to the pixels that the graph would make: it takes more memory.
const MOST_IN_GRAPH = 2e6;

const fit = (picture) => fitted(picture, facts.width, facts.height, facts.resize);

const look = (picture, image = null) => {
  const large = picture.width * picture.height > MOST_IN_GRAPH;
  const given = large ? (image ?? fit(picture)) : picture;
  return run(given.pixels, 1, given.height, given.width);
};

// Class and probability, the most probable first; equal ones keep the order of the labels.
const ranked = (probabilities) =>
  Array.from(probabilities, (probability, k) => ({ label: facts.labels[k], probability })).sort(
    (a, b) => b.probability - a.probability,
  );
