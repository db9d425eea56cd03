// A small graph of the last minute: one line for each series, the scale by what it shows.

const LENGTH = 60;
const COLOURS = ["#e2703a", "#5fb98c", "#6aa5e0", "#c9a84c"];

export class Graph {
  #canvas;
  #series = new Map();

  constructor(canvas) {
    this.#canvas = canvas;
    this.draw();
  }

  /** Adds one point to each named series; a series that is not named gets a gap. */
  add(values) {
    for (const name of Object.keys(values)) if (!this.#series.has(name)) this.#series.set(name, []);
    for (const [name, points] of this.#series) {
      points.push(values[name] ?? null);
      if (points.length > LENGTH) points.shift();
    }
    this.draw();
  }

  clear() {
    this.#series.clear();
    this.draw();
  }

  draw() {
    const canvas = this.#canvas, scale = globalThis.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const known = [...this.#series.values()].flat().filter((value) => value !== null);
    const top = nice(Math.max(...known, 1));
    const left = 34, bottom = height - 6, y = (value) => bottom - (value / top) * (bottom - 26);
    pen.font = "11px system-ui, sans-serif";
    for (const value of [0, top / 2, top]) {
      pen.strokeStyle = "#2c3038";
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(width, y(value));
      pen.stroke();
      pen.fillStyle = "#9d9a92";
      pen.textAlign = "right";
      pen.fillText(String(Math.round(value * 10) / 10), left - 5, y(value) + 4);
    }
    let at = left;
    [...this.#series].forEach(([name, points], index) => {
      pen.strokeStyle = pen.fillStyle = COLOURS[index % COLOURS.length];
      pen.lineWidth = 1.6;
      pen.beginPath();
      let down = false;
      points.forEach((value, place) => {
        const x = width - (points.length - 1 - place) * ((width - left) / (LENGTH - 1));
        if (value === null) down = false;
        else if (down) pen.lineTo(x, y(value));
        else {
          pen.moveTo(x, y(value));
          down = true;
        }
      });
      pen.stroke();
      pen.textAlign = "left";
      pen.fillText(name, at, 12);
      at += pen.measureText(name).width + 12;
    });
  }
}

/** The next of 1, 2, 5, 10, 20, 50 ... */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}
