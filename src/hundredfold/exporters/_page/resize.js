// Bicubic resizing with antialiasing, bit by bit as Pillow does it: weights of 22 bits, and 8 bits
// after each of the two passes. Pictures are {pixels: uint8 (height, width, 3), width, height}.

const BITS = 22;
const SUPPORT = 2; // of the cubic, in pixels of the coarser grid

const cubic = (x) => {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? -0.5 * (((t - 5) * t + 8) * t - 4) : 0;
};

// Pixels [from, to) of a line become `count` pixels: for each the first pixel and the weights.
const weightsOf = (length, from, to, count) => {
  const [start, end] = [Math.fround(from), Math.fround(to)];
  const scale = Math.fround(end - start) / count;
  const wider = Math.max(scale, 1);
  return Array.from({ length: count }, (_, k) => {
    const centre = start + (k + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - SUPPORT * wider + 0.5));
    const last = Math.min(length, Math.trunc(centre + SUPPORT * wider + 0.5));
    const raw = Array.from({ length: last - first }, (_, i) => cubic((i + first - centre + 0.5) * (1 / wider)));
    const sum = raw.reduce((a, b) => a + b, 0);
    const whole = raw.map((w) => {
      const share = (sum === 0 ? w : w / sum) * 2 ** BITS;
      return Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    });
    return { first, weights: Int32Array.from(whole) };
  });
};

// One pass along lines: `step` bytes between neighbours of a line. Three colours are beside each
// other in a row; down a column, a whole row is.
const pass = (source, target, lines, weights, [sourceLine, sourceStep], [targetLine, targetStep], values) => {
  for (let line = 0; line < lines; line++) {
    weights.forEach(({ first, weights: w }, k) => {
      for (let v = 0; v < values; v++) {
        let sum = 1 << (BITS - 1);
        let at = line * sourceLine + first * sourceStep + v;
        for (let i = 0; i < w.length; i++, at += sourceStep) sum += source[at] * w[i];
        target[line * targetLine + k * targetStep + v] = sum >> BITS; // clamped to 0..255
      }
    });
  }
};

const resize = ({ pixels, width, height }, wide, high, box = [0, 0, width, height]) => {
  const [left, top, right, bottom] = box;
  let current = new Uint8ClampedArray(pixels.buffer, pixels.byteOffset, pixels.length);
  if (wide !== width || left || right !== width) {
    const narrow = new Uint8ClampedArray(height * wide * 3);
    const weights = weightsOf(width, left, right, wide);
    pass(current, narrow, height, weights, [3 * width, 3], [3 * wide, 3], 3);
    current = narrow;
  }
  if (high !== height || top || bottom !== height) {
    const low = new Uint8ClampedArray(high * wide * 3);
    const weights = weightsOf(height, top, bottom, high);
    pass(current, low, 1, weights, [0, 3 * wide], [0, 3 * wide], 3 * wide);
    current = low;
  }
  return { pixels: new Uint8Array(current.buffer, current.byteOffset, current.length), width: wide, height: high };
};

// Half to even, as in Python.
const rounded = (x) => {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 ? low + 1 : low;
};

// Where the network looks: `box` is the part of the picture that it sees (left, top, right, bottom),
// `inside` where that part lies in the network's image.
const seen = ({ width, height }, wide, high, policy) => {
  const whole = { box: [0, 0, width, height], inside: [0, 0, wide, high] };
  if (policy === "crop") {
    const keptWidth = Math.min(width, (height * wide) / high);
    const keptHeight = Math.min(height, (width * high) / wide);
    const [left, top] = [(width - keptWidth) / 2, (height - keptHeight) / 2];
    return { ...whole, box: [left, top, left + keptWidth, top + keptHeight] };
  }
  if (policy !== "pad") return whole;
  const tall = height * wide >= width * high;
  const w = tall ? Math.max(1, rounded((width * high) / height)) : wide;
  const h = tall ? high : Math.max(1, rounded((height * wide) / width));
  const [left, top] = [Math.floor((wide - w) / 2), Math.floor((high - h) / 2)];
  return { ...whole, inside: [left, top, left + w, top + h] };
};

// The picture at the network's size.
const fitted = (picture, wide, high, policy) => {
  if (picture.width === wide && picture.height === high) return picture;
  const { box, inside: [left, top, right, bottom] } = seen(picture, wide, high, policy);
  const small = resize(picture, right - left, bottom - top, box);
  if (policy !== "pad") return small;
  const pixels = new Uint8Array(wide * high * 3);
  for (let row = 0; row < small.height; row++) {
    const line = small.pixels.subarray(3 * row * small.width, 3 * (row + 1) * small.width);
    pixels.set(line, 3 * ((top + row) * wide + left));
  }
  return { pixels, width: wide, height: high };
};
