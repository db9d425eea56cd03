// A browser plays the telephone events that it receives and tells the page nothing. This listens
// to the sound of a received track for the two frequencies of each tone (ITU-T Q.23).

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = ["123A", "456B", "789C", "*0#D"];
/** How often it listens, in milliseconds: several times in the shortest tone. */
const INTERVAL = 10;
/** A tone is believed when it was heard twice in a row, and over when it was not. */
const LOOKS = 2;
/** The part of all sound that the two frequencies must be: speech never is so pure. */
const PURE = 0.7;
/** One frequency is at most this many times as strong as the other (8 dB, ITU-T Q.24). */
const TWIST = 6.3;
/** Quieter sound is none: the mean square of samples from -1 to 1. */
const SILENCE = 1e-5;

let context;

/** The energy of one frequency as a part of the mean square (Goertzel's algorithm). */
function strength(samples, frequency, rate) {
  const factor = 2 * Math.cos((2 * Math.PI * frequency) / rate);
  let [last, before] = [0, 0];
  for (const sample of samples) [last, before] = [sample + factor * last - before, last];
  const power = last * last + before * before - factor * last * before;
  return (2 * power) / (samples.length * samples.length);
}

function strongest(levels) {
  return levels.indexOf(Math.max(...levels));
}

/** The key whose tone fills these samples, if it is one. */
export function keyOf(samples, rate) {
  const all = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  if (all < SILENCE) return "";
  const of = (frequencies) => frequencies.map((frequency) => strength(samples, frequency, rate));
  const [rows, columns] = [of(ROWS), of(COLUMNS)];
  const [row, column] = [strongest(rows), strongest(columns)];
  const pure = rows[row] + columns[column] > PURE * all;
  const twist = rows[row] / columns[column];
  return pure && twist < TWIST && twist > 1 / TWIST ? KEYS[row][column] : "";
}

export function listenForTones(track, heard) {
  context ??= new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024; // about 20 ms
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let last = "", looks = 0, told = "";
  const timer = setInterval(() => {
    if (track.readyState === "ended") return clearInterval(timer);
    if (context.state === "suspended") context.resume();
    analyser.getFloatTimeDomainData(samples);
    const key = keyOf(samples, context.sampleRate);
    looks = key === last ? looks + 1 : 1;
    last = key;
    if (looks < LOOKS || key === told) return;
    told = key;
    if (key) heard(key);
  }, INTERVAL);
}
