// Event handler attributes and errors, as WebIDL has them.

/** An event handler attribute, as WebIDL has it: one function, called like a listener. */
export function handler(target, type) {
  let current = null;
  Object.defineProperty(target, `on${type}`, {
    get: () => current,
    set(value) {
      if (current) target.removeEventListener(type, current);
      current = typeof value === "function" ? value : null;
      if (current) target.addEventListener(type, current);
    },
  });
}

export function fire(target, type, members = {}) {
  target.dispatchEvent(Object.assign(new Event(type), members));
}

export function invalidState(message) {
  return new DOMException(message, "InvalidStateError");
}
