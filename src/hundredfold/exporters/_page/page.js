// What the reader sees and does.

const $ = (id) => document.getElementById(id);
const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const percent = (p) => {
  if (p > 0.9995 && p < 1) return "> 99.9 %";
  if (p < 0.0005 && p > 0) return "< 0.1 %";
  return `${(100 * p).toFixed(1)} %`;
};

const SHOWN = 5; // classes
const UNSURE = 0.5;
const KEPT = 40; // earlier pictures
const SMALL = 96; // pixels up to which a picture is shown pixel by pixel
const LIVE = 640; // pixels of the longer side of a camera's picture
const LIVE_PAUSE = 120; // milliseconds

let current = null; // on show: {url, width, height, image at the network's size, answer, heat}
const earlier = [];
let explaining = false;

const complain = (error) => {
  $("problem").textContent = error instanceof Refused ? error.message : `This did not work: ${error.message ?? error}.`;
  $("problem").hidden = false;
};
const forgive = () => { $("problem").hidden = true; };

const answerOf = ({ probabilities, unknown }) => {
  const order = ranked(probabilities);
  const bound = facts.reject?.threshold;
  const inSet = facts.sets && order.filter(({ probability }, k) => k === 0 || probability >= facts.sets.threshold);
  return { order, unknown: unknown[0], rejected: bound !== undefined && unknown[0] > bound, inSet };
};

// Bars

const rows = Array.from({ length: Math.min(SHOWN, facts.labels.length) }, () => {
  const row = make("li");
  const [name, value, rail] = [make("span", "name"), make("span", "value"), make("span", "rail")];
  const bar = rail.appendChild(make("span", "bar"));
  row.append(name, value, rail);
  $("bars").append(row);
  return ({ label, probability }) => {
    name.textContent = label;
    value.textContent = percent(probability);
    bar.style.width = `${100 * probability}%`;
  };
});

const verdict = ({ rejected, order: [best] }) => {
  if (rejected) return `This is unlike the pictures that the network learned from. Its closest class is ${best.label}.`;
  return best.probability < UNSURE ? "The network is unsure: no class is more likely than all others together." : "";
};

const showAnswer = (answer) => {
  const [best] = answer.order;
  $("answer").replaceChildren(answer.rejected ? "Unknown" : best.label);
  if (!answer.rejected) $("answer").append(" ", make("span", "sure", percent(best.probability)));
  $("verdict").textContent = verdict(answer);
  $("bars").classList.toggle("pale", answer.rejected);
  rows.forEach((show, k) => show(answer.order[k]));
  $("set").hidden = !answer.inSet;
  if (answer.inSet) {
    const names = answer.inSet.map(({ label }) => label).join(", ");
    $("set").textContent = `With a coverage of ${percent(facts.sets.coverage).replace(".0", "")}: ${names}.`;
  }
  $("level").style.width = `${100 * answer.unknown}%`;
  const limit = facts.reject ? ` Above ${facts.reject.threshold.toFixed(2)} the answer is “unknown”.` : "";
  $("unfamiliar").textContent = `Unfamiliar: ${answer.unknown.toFixed(2)} of 1.${limit}`;
  $("result").hidden = false;
};
if (facts.reject) {
  $("bound").hidden = false;
  $("bound").style.left = `${100 * facts.reject.threshold}%`;
}

const spoken = ({ order: [best], rejected }) =>
  rejected ? `Unknown. The closest class is ${best.label}.` : `${best.label}, ${percent(best.probability)}.`;

// The map of what mattered

const paint = async (entry) => {
  const { falls, columns, rows: count, most } = entry.heat;
  const { width, height } = entry;
  const { box: [left, top, right, bottom] } = seen(entry, facts.width, facts.height, facts.resize);
  const canvas = $("heat");
  const scale = 480 / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const small = new ImageData(columns, count);
  falls.forEach((fall, k) => {
    const share = most > 0 ? Math.max(0, fall / most) : 0;
    const [dim, warm] = [0.62 * (1 - share) ** 1.5, 0.42 * share ** 2]; // dark where nothing mattered, warm where most
    small.data.set([255 * warm / (dim + warm), 120 * warm / (dim + warm), 0, 255 * (dim + warm)], 4 * k);
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "rgb(0 0 0 / 72%)"; // the network does not see what lies outside
  context.fillRect(0, 0, canvas.width, canvas.height);
  const part = [left * scale, top * scale, (right - left) * scale, (bottom - top) * scale];
  context.clearRect(...part);
  context.imageSmoothingQuality = "high";
  const bitmap = await createImageBitmap(small);
  context.drawImage(bitmap, ...part);
  canvas.hidden = false;
};

const explain = async () => {
  const entry = current;
  if (!entry) return;
  if (!explaining) {
    $("heat").hidden = true;
    $("explained").textContent = "";
    return;
  }
  if (!entry.heat) {
    $("heat").hidden = true;
    $("explained").textContent = "Parts of the picture are being covered, one after the other …";
    const { inside } = seen(entry, facts.width, facts.height, facts.resize);
    const k = facts.labels.indexOf(entry.answer.order[0].label);
    entry.heat = await occlusion(entry.image, inside, k, () => entry !== current || !explaining);
    if (!entry.heat) return;
  }
  if (entry !== current || !explaining) return;
  await paint(entry);
  const { label } = entry.answer.order[0];
  const { most, before, after } = entry.heat;
  $("explained").textContent = most > 0
    ? `The brightest place mattered most for “${label}”: covered, its probability goes from ${percent(before)} to ${percent(after)}. Dark places mattered little.`
    : `No single place mattered for “${label}”: covering any of them does not lower its probability.`;
};

// Pictures

const show = (entry) => {
  current = entry;
  $("shown").src = entry.url;
  const { width, height } = entry;
  $("frame").classList.toggle("pixels", Math.max(width, height) <= SMALL);
  $("frame").style.aspectRatio = `${width} / ${height}`;
  $("frame").style.maxWidth = `calc(26rem * ${Math.min(1, width / height)})`;
  $("shown").alt = `The picture, classified as ${spoken(entry.answer)}`;
  $("heat").hidden = true;
  $("explained").textContent = "";
  showAnswer(entry.answer);
  for (const other of earlier) other.button.setAttribute("aria-current", other === entry);
  explain().catch(complain);
};

const remember = (entry) => {
  const button = make("button");
  button.type = "button";
  const image = make("img");
  image.src = entry.url;
  image.alt = "";
  button.append(image, make("span", "", entry.answer.rejected ? "unknown" : entry.answer.order[0].label));
  button.addEventListener("click", () => show(entry));
  entry.button = button;
  earlier.unshift(entry);
  $("earlier").prepend(button);
  for (const old of earlier.splice(KEPT)) {
    old.button.remove();
    URL.revokeObjectURL(old.url);
  }
  $("earlier").hidden = earlier.length < 2;
};

const take = async (blobs) => {
  forgive();
  for (const blob of blobs) {
    try {
      const picture = await decode(blob);
      const image = fit(picture);
      const answer = answerOf(await look(picture, image));
      const { width, height } = picture;
      const entry = { url: URL.createObjectURL(blob), width, height, image, answer };
      remember(entry);
      show(entry);
      $("status").textContent = spoken(answer);
      $("result").scrollIntoView({ block: "nearest" });
    } catch (error) {
      complain(error);
    }
  }
};

const LINK = "That is a link, and this page opens none. Save the picture as a file first.";

for (const [button, input] of [["choose", "file"], ["photo", "capture"]]) {
  $(button).addEventListener("click", () => $(input).click());
  $(input).addEventListener("change", async () => {
    const files = [...$(input).files];
    $(input).value = "";
    await take(files);
  });
}
$("photo").hidden = !matchMedia("(pointer: coarse)").matches;
$("explain").addEventListener("click", () => {
  explaining = !explaining;
  $("explain").setAttribute("aria-pressed", explaining);
  explain().catch(complain);
});

addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) take(files);
  else complain(new Refused("There is no picture on the clipboard. Copy one first."));
});
let depth = 0; // elements that the drag is over
const over = (step) => (event) => {
  event.preventDefault();
  depth = step === 0 ? depth : Math.max(0, depth + step);
  $("drop").classList.toggle("over", depth > 0);
};
addEventListener("dragenter", over(1));
addEventListener("dragleave", over(-1));
addEventListener("dragover", over(0));
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  $("drop").classList.remove("over");
  const files = [...event.dataTransfer.files];
  if (files.length) take(files);
  else complain(new Refused(LINK));
});

// The camera: the bars follow what it sees

let stream = null;

const frame = () => {
  const video = $("video");
  const scale = Math.min(1, LIVE / Math.max(video.videoWidth, video.videoHeight));
  const canvas = make("canvas");
  canvas.width = Math.max(1, Math.round(video.videoWidth * scale));
  canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
};

const closeCamera = () => {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  $("video").srcObject = null;
  $("live").hidden = true;
  document.body.classList.remove("filming");
  $("camera").hidden = false;
};

const follow = async () => {
  while (stream) {
    const canvas = frame();
    const image = fit(pixelsOf(canvas, canvas.width, canvas.height));
    const answer = answerOf(await look(image));
    if (!stream) return;
    showAnswer(answer);
    await new Promise((resolve) => setTimeout(resolve, LIVE_PAUSE));
  }
};

$("camera").hidden = !navigator.mediaDevices?.getUserMedia;
$("camera").addEventListener("click", async () => {
  forgive();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    $("video").srcObject = stream;
    await $("video").play();
  } catch {
    closeCamera();
    complain(new Refused("The camera cannot be used: there is none, or this page may not use it. Choose a file instead."));
    return;
  }
  $("live").hidden = false;
  $("camera").hidden = true;
  document.body.classList.add("filming");
  $("keep").focus();
  follow().catch(complain);
});
$("stop").addEventListener("click", () => { closeCamera(); if (current) show(current); });
$("keep").addEventListener("click", async () => {
  const canvas = frame();
  closeCamera();
  await take([await new Promise((resolve) => canvas.toBlob(resolve, "image/png"))]);
});
addEventListener("pagehide", closeCamera);

// All labels, filtered by a word

$("filter")?.addEventListener("input", () => {
  const wanted = $("filter").value.trim().toLowerCase();
  for (const item of $("labels").children) item.hidden = !item.textContent.toLowerCase().includes(wanted);
});

opened.then(
  () => { $("state").textContent = "Ready. Nothing leaves this device."; },
  (error) => { $("state").textContent = ""; complain(error); },
);

// For other pages and tests. `classify` resolves to all classes, the most probable first, and
// rejects with an error whose message is a sentence.
window.hundredfold = Object.freeze({
  labels: Object.freeze([...facts.labels]),
  classify: async (blob) => ranked((await look(await decode(blob))).probabilities),
});
