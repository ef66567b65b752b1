// A picture of any format the browser reads -> uint8 pixels (height, width, 3), upright, on white.

const MOST_PIXELS = 50e6; // as in Python
const STRIP = 4e6; // pixels of a canvas at a time; phones allow 16 million

class Refused extends Error {} // its message is a sentence for the reader

const sizeOf = (url) =>
  new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = reject;
    image.src = url;
  });

// The browser neither converts colours nor multiplies them by their transparency.
const bitmapOf = async (blob) => {
  try {
    return await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch (error) {
    if (error instanceof TypeError) return createImageBitmap(blob); // a browser without these options
    throw error;
  }
};

const overWhite = (colour, alpha) => Math.floor((colour * alpha + 255 * (255 - alpha)) / 255 + 0.5);

// rgba: ImageData's; pixels: where to write; at: index of the first byte there.
const flatten = (rgba, pixels, at) => {
  for (let k = 0; k < rgba.length; k += 4) {
    const alpha = rgba[k + 3];
    for (let c = 0; c < 3; c++) pixels[at++] = alpha === 255 ? rgba[k + c] : overWhite(rgba[k + c], alpha);
  }
  return at;
};

const pixelsOf = (drawable, width, height) => {
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP / width)));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = rows;
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  const pixels = new Uint8Array(width * height * 3);
  let at = 0;
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(drawable, 0, top, width, count, 0, 0, width, count);
    at = flatten(context.getImageData(0, 0, width, count).data, pixels, at);
  }
  return { pixels, width, height };
};

const tooLarge = ({ width, height }) =>
  `The picture has ${width} x ${height} pixels, over ${MOST_PIXELS / 1e6} million. Make it smaller first.`;

// Throws Refused.
const decode = async (blob) => {
  if (!(blob instanceof Blob)) throw new Refused("This is no picture file: give a Blob or a File.");
  if (!blob.size) throw new Refused("The file is empty.");
  const url = URL.createObjectURL(blob);
  let bitmap;
  try {
    const size = await sizeOf(url);
    if (size.width * size.height > MOST_PIXELS) throw new Refused(tooLarge(size));
    bitmap = await bitmapOf(blob);
    return pixelsOf(bitmap, bitmap.width, bitmap.height);
  } catch (error) {
    if (error instanceof Refused) throw error;
    const name = blob.name ? `“${blob.name}”` : "The file";
    throw new Refused(`${name} is no picture that this browser reads. Save it as PNG or JPEG and try again.`);
  } finally {
    bitmap?.close();
    URL.revokeObjectURL(url);
  }
};
