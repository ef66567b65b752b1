// What mattered: a part of the image is covered, and the log-odds of the class fall (occlusion;
// Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2). Covered with the image's mean colour.

const GRIDS = [10, 8, 6, 5, 4]; // places a side, as many as the time allows
const MOST_MILLISECONDS = 1500;
const BATCH_MILLISECONDS = 60; // between two of them the page answers
const SPREAD = 1.25; // half the side of a cover, in places

const logOdds = (logits, start, classes, k) => {
  const most = Math.max(...logits.subarray(start, start + classes));
  let others = 0;
  for (let i = 0; i < classes; i++) if (i !== k) others += Math.exp(logits[start + i] - most);
  return logits[start + k] - most - Math.log(Math.max(others, 1e-300));
};

const meanColour = (pixels) => {
  const sums = [0, 0, 0];
  for (let k = 0; k < pixels.length; k++) sums[k % 3] += pixels[k];
  return sums.map((sum) => Math.round((3 * sum) / pixels.length));
};

const covered = ({ pixels, width, height }, colour, [left, top, right, bottom]) => {
  const copy = pixels.slice();
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y++)
    for (let x = Math.max(0, left); x < Math.min(width, right); x++) copy.set(colour, 3 * (y * width + x));
  return copy;
};

// The covers of a grid over the part [left, top, right, bottom] of the image, row by row.
const covers = ([left, top, right, bottom], columns, rows) => {
  const [stepX, stepY] = [(right - left) / columns, (bottom - top) / rows];
  const all = [];
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const [x, y] = [left + (c + 0.5) * stepX, top + (r + 0.5) * stepY];
      const reach = [Math.max(SPREAD * stepX, 0.5), Math.max(SPREAD * stepY, 0.5)];
      all.push([x - reach[0], y - reach[1], x + reach[0], y + reach[1]].map(Math.round));
    }
  return all;
};

// image: at the network's size; part: where the picture lies in it; k: the class.
// Returns falls (rows x columns) of the log-odds, and the probability where they fall most.
const occlusion = async (image, part, k, stale) => {
  const size = 3 * image.width * image.height;
  const classes = facts.labels.length;
  const whole = await run(image.pixels, 1, image.height, image.width);
  const before = logOdds(whole.logits, 0, classes, k);
  const affordable = MOST_MILLISECONDS / Math.max(whole.milliseconds, 0.1);
  const side = GRIDS.find((g) => g * g <= affordable) ?? GRIDS.at(-1);
  const columns = Math.min(side, part[2] - part[0]);
  const rows = Math.min(side, part[3] - part[1]);
  const colour = meanColour(image.pixels);
  const places = covers(part, columns, rows);
  const perBatch = Math.max(1, Math.min(32, Math.floor(BATCH_MILLISECONDS / Math.max(whole.milliseconds, 1))));
  const falls = new Float32Array(places.length);
  const after = new Float32Array(places.length);
  for (let start = 0; start < places.length; start += perBatch) {
    const batch = places.slice(start, start + perBatch);
    const pixels = new Uint8Array(batch.length * size);
    batch.forEach((box, i) => pixels.set(covered(image, colour, box), i * size));
    const { logits, probabilities } = await run(pixels, batch.length, image.height, image.width);
    batch.forEach((_, i) => {
      falls[start + i] = before - logOdds(logits, i * classes, classes, k);
      after[start + i] = probabilities[i * classes + k];
    });
    await new Promise((resolve) => setTimeout(resolve));
    if (stale()) return null;
  }
  const most = falls.indexOf(Math.max(...falls));
  return { falls, columns, rows, most: falls[most], before: whole.probabilities[k], after: after[most] };
};
