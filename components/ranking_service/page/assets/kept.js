// What this tab remembers until it is closed; a browser that forbids it remembers for the page's life.

const KEY = "rankloop.key";
let here = null;

export function apiKey() {
  try {
    return sessionStorage.getItem(KEY) ?? here;
  } catch {
    return here;
  }
}

export function keepApiKey(key) {
  here = key;
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // kept in `here`
  }
}

// crypto.randomUUID is missing on a page that came over plain http from another machine.
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
