// What went wrong, in words that say what to do about it.

const MEDIA = {
  NotFoundError: "No camera or microphone was found. Plug one in and call again.",
  NotAllowedError: "The browser does not let this page use camera and microphone. Allow it in the address bar and call again.",
  NotReadableError: "Camera or microphone is busy: another program uses it. Close that and call again.",
  OverconstrainedError: "The camera cannot do what this page asks of it.",
  SecurityError: "Browsers give camera and microphone only to pages of localhost or https.",
};

/** An error of getUserMedia. */
export function ofMedia({ name, message }) {
  return MEDIA[name] ?? `Camera and microphone cannot be used: ${message}`;
}

/** Any other error. */
export function ofError({ name, message }) {
  const text = message ?? String(name);
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
