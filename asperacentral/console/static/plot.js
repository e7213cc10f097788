// Rates over time on a canvas: lines with the area below them, a scale, and a sentence that says the same.

import { duration, rate } from "./format.js";

const LEFT = 4;
const BOTTOM = 14;

function colour(canvas, name) {
  return getComputedStyle(canvas).getPropertyValue(name).trim() || "gray";
}

/** The next of 1, 2, 5, 10, 20 ... above a value. */
function ceiling(value) {
  if (value <= 0) return 1;
  const base = 10 ** Math.floor(Math.log10(value));
  return base * [1, 2, 5, 10].find((step) => base * step >= value);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{name: string, colour: string, points: [number, number][]}[]} lines points are [seconds, bits per second]
 * @param {string} what for the sentence
 */
export function draw(canvas, lines, what) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const all = lines.flatMap((line) => line.points);
  const soft = colour(canvas, "--soft");
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = soft;
  if (all.length < 2) {
    pen.fillText("no data yet", LEFT, height / 2);
    canvas.setAttribute("aria-label", `${what}: no data yet`);
    return;
  }
  const begin = Math.min(...all.map((point) => point[0]));
  const end = Math.max(...all.map((point) => point[0]));
  const peak = Math.max(...all.map((point) => point[1]));
  const top = ceiling(peak);
  const x = (at) => LEFT + ((at - begin) / Math.max(1e-9, end - begin)) * (width - 2 * LEFT);
  const y = (bits) => height - BOTTOM - (bits / top) * (height - BOTTOM - 12);
  pen.strokeStyle = colour(canvas, "--line");
  for (const level of [0, 0.5, 1]) {
    pen.beginPath();
    pen.moveTo(LEFT, Math.round(y(level * top)) + 0.5);
    pen.lineTo(width - LEFT, Math.round(y(level * top)) + 0.5);
    pen.stroke();
  }
  for (const line of lines) {
    if (line.points.length < 2) continue;
    trace(pen, line, x, y, colour(canvas, line.colour));
  }
  pen.fillStyle = soft;
  pen.fillText(rate(top), LEFT + 2, 10);
  pen.fillText(`${duration(end - begin)} ago`, LEFT, height - 2);
  pen.textAlign = "right";
  pen.fillText("now", width - LEFT, height - 2);
  pen.textAlign = "left";
  const last = lines.filter((line) => line.points.length).map((line) => `${line.name} ${rate(line.points.at(-1)[1])}`);
  canvas.setAttribute("aria-label", `${what}: ${last.join(", ")} at last, at most ${rate(peak)}, in ${duration(end - begin)}`);
}

function trace(pen, line, x, y, shade) {
  pen.beginPath();
  line.points.forEach(([at, bits], index) => (index ? pen.lineTo(x(at), y(bits)) : pen.moveTo(x(at), y(bits))));
  pen.strokeStyle = shade;
  pen.lineWidth = 1.8;
  pen.stroke();
  pen.lineWidth = 1;
  pen.lineTo(x(line.points.at(-1)[0]), y(0));
  pen.lineTo(x(line.points[0][0]), y(0));
  pen.closePath();
  pen.globalAlpha = 0.14;
  pen.fillStyle = shade;
  pen.fill();
  pen.globalAlpha = 1;
}
