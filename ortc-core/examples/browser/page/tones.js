// A browser plays the telephone events that it receives and tells the page nothing. This listens
// to the sound of a received track for the two frequencies of each tone (ITU-T Q.23).

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = ["123A", "456B", "789C", "*0#D"];
/** A tone is believed after it was heard in this many looks in a row, 10 ms apart. */
const LOOKS = 2;
/** How much louder, in dB, a tone is than what else is heard. */
const ABOVE = 12;

let context;

export function listenForTones(track, heard) {
  context ??= new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  analyser.smoothingTimeConstant = 0;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const spectrum = new Float32Array(analyser.frequencyBinCount);
  const width = context.sampleRate / analyser.fftSize;
  const level = (frequency) => {
    const bin = Math.round(frequency / width);
    return Math.max(spectrum[bin - 1], spectrum[bin], spectrum[bin + 1]);
  };
  const loudest = (frequencies) => {
    const levels = frequencies.map(level);
    const order = levels.map((_, index) => index).sort((a, b) => levels[b] - levels[a]);
    const clear = levels[order[0]] > -60 && levels[order[0]] - levels[order[1]] > ABOVE;
    return clear ? order[0] : -1;
  };
  let last = "", looks = 0, told = "";
  const timer = setInterval(() => {
    if (track.readyState === "ended") return clearInterval(timer);
    if (context.state === "suspended") context.resume();
    analyser.getFloatFrequencyData(spectrum);
    const [row, column] = [loudest(ROWS), loudest(COLUMNS)];
    const tone = row >= 0 && column >= 0 ? KEYS[row][column] : "";
    looks = tone === last ? looks + 1 : 1;
    last = tone;
    if (looks < LOOKS || tone === told) return;
    told = tone;
    if (tone) heard(tone);
  }, 10);
}
