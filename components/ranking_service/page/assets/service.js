// Asks the service: waits and tries again where that helps, and tells in words what went wrong.

import { apiKey } from "./kept.js";

const ATTEMPTS = 3;
const PATIENCE_MS = 10_000; // for one answer
const LONGEST_WAIT_S = 5; // a longer Retry-After is left to the person

export class Trouble extends Error {
  constructor(words, status = 0) {
    super(words);
    this.status = status;
  }
}

// `onWait(words)` is told when the service asks for a pause. Sending an event twice is harmless: it has an id.
export async function ask(path, { body, signal, onWait = () => {}, keepalive = false } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetched(path, body, signal, keepalive);
    if (answer.ok) return answer.document;
    const wait = answer.retryAfter ?? 0.5 * 2 ** (attempt - 1);
    if (!answer.passing || attempt === ATTEMPTS || wait > LONGEST_WAIT_S) throw answer.trouble;
    onWait(`${answer.trouble.message} Trying again in ${seconds(wait)}…`);
    await paused(wait * 1000, signal);
  }
}

async function fetched(path, body, signal, keepalive) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), PATIENCE_MS);
  const giveUp = () => limit.abort();
  signal?.addEventListener("abort", giveUp);
  try {
    const response = await fetch(path, request(body, limit.signal, keepalive));
    return await read(response);
  } catch (error) {
    if (signal?.aborted) throw error;
    const late = limit.signal.aborted;
    const words = late ? "The service took too long to answer." : "The service cannot be reached. Is it running?";
    return { ok: false, passing: !late, trouble: new Trouble(words) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}

function request(body, signal, keepalive) {
  const headers = {};
  const key = apiKey();
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body === undefined) return { headers, signal };
  headers["Content-Type"] = "application/json";
  return { method: "POST", headers, body: JSON.stringify(body), signal, keepalive };
}

async function read(response) {
  const document = await response.json().catch(() => null);
  if (response.ok && document !== null) return { ok: true, document };
  const given = response.headers.get("Retry-After");
  const retryAfter = given !== null && /^\d+$/.test(given) ? Number(given) : null;
  const passing = response.status === 429 || response.status === 503;
  return { ok: false, passing, retryAfter, trouble: trouble(response.status, document?.detail, retryAfter) };
}

function trouble(status, detail, retryAfter) {
  const then = retryAfter ? ` It asks to wait ${seconds(retryAfter)}.` : "";
  const told = detail ? ` It says: ${detail}` : "";
  if (status === 401 || status === 403) return new Trouble("The service asks for an API key.", status);
  if (status === 429) return new Trouble(`Too many requests for the service's limit.${then}`, status);
  if (status === 503) return new Trouble(`The service is busy or not ready.${then}`, status);
  if (status >= 500) return new Trouble(`The service failed (${status}).${told}`, status);
  if (status >= 400) return new Trouble(`The service refused this request (${status}).${told}`, status);
  return new Trouble("The service gave an answer that cannot be read.", status);
}

function seconds(count) {
  return count === 1 ? "1 second" : `${Math.round(count * 10) / 10} seconds`;
}

function paused(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("no longer wanted", "AbortError"));
    }, { once: true });
  });
}
