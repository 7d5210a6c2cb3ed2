// The HTTP client: the only module with the key, the prefix and the format of errors.

import { acceptLanguage, t } from './i18n.js';
import { h } from './dom.js';

const PREFIX = '/api/v1';
const STORED = 'holdfast.key';
let whenSignedOut = () => {};
let memory = ''; // the key, if the browser's storage is disabled

/** An error: the server's sentence, or the key of a text of the page. */
export class Problem extends Error {
  constructor({ status = 0, code = '', sentence = '', key = 'error.offline', params = {}, retryAfter = null }) {
    super(sentence || t(key, params));
    Object.assign(this, { status, code, sentence, key, params, retryAfter });
  }

  /** An element that shows it (texts of the page follow a language switch, the server's do not). */
  say() {
    return this.sentence ? h('span', {}, this.sentence) : h('span', { text: [this.key, this.params] });
  }

  /** Whether a later retry can succeed. */
  get passing() {
    return this.status === 0 || this.status >= 500 || [408, 425, 429].includes(this.status);
  }

  /** `header(name)` returns a header of the response; `retryAfter` is in seconds. */
  static from(status, header, body) {
    let found = {};
    if (/json/.test(header('content-type') || '')) {
      try {
        found = JSON.parse(body) || {};
      } catch {
        // Not JSON: the status alone describes the error.
      }
    }
    const sentence = [found.detail, found.title].find((text) => typeof text === 'string' && text.trim());
    const retryAfter = /^\d+$/.test(header('retry-after') || '') ? Number(header('retry-after')) : null;
    const params = { status: String(status) };
    return new Problem({ status, code: found.code, sentence, key: 'error.status', params, retryAfter });
  }
}

/** The key, stored for this tab or (kept) for this device. */
export const session = {
  get key() {
    return read(sessionStorage) || read(localStorage) || memory;
  },
  signIn(key, keep) {
    this.signOut();
    memory = key;
    write(keep ? localStorage : sessionStorage, key);
  },
  signOut() {
    memory = '';
    write(sessionStorage, '');
    write(localStorage, '');
  },
  /** `listener(problem)` is called when the server rejects the key. */
  onSignedOut(listener) {
    whenSignedOut = listener;
  },
};
function read(store) {
  try {
    return store.getItem(STORED);
  } catch {
    return '';
  }
}

function write(store, key) {
  try {
    if (key) store.setItem(STORED, key);
    else store.removeItem(STORED);
  } catch {
    // Storage is disabled: the key stays in memory until the page is left.
  }
}

function headers(extra) {
  return { Authorization: `Bearer ${session.key}`, 'Accept-Language': acceptLanguage(), ...extra };
}

/** A path under the prefix, or a URL from the server, of which only the path is used, so the key stays on this host. */
function address(path) {
  if (path.startsWith('/') && !path.startsWith('//') && !path.startsWith(`${PREFIX}/`)) return PREFIX + path;
  const url = new URL(path, location.href);
  return url.pathname + url.search;
}

function refused(problem, key) {
  if (problem.status === 401 && key === session.key) whenSignedOut(problem);
  return problem;
}

async function send(path, options) {
  const key = session.key;
  let response;
  try {
    response = await fetch(address(path), { credentials: 'same-origin', cache: 'no-store', ...options });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({});
  }
  if (response.ok) return response;
  const header = (name) => response.headers.get(name);
  throw refused(Problem.from(response.status, header, await response.text().catch(() => '')), key);
}

/** One call; resolves to the decoded JSON (null for an empty body). */
export async function call(method, path, { body, query, signal } = {}) {
  const pairs = Object.entries(query || {}).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
  const search = new URLSearchParams(pairs.filter(([, value]) => value));
  const response = await send(search.size ? `${path}?${search}` : path, {
    method,
    signal,
    headers: headers({ Accept: 'application/json', ...(body ? { 'Content-Type': 'application/json' } : {}) }),
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** The response of a path as a Blob. */
export async function download(path) {
  return (await send(path, { headers: headers({}) })).blob();
}

/** Open an event stream after the event `last`; resolves to the response. */
export function open(path, last, signal) {
  return send(path, {
    signal,
    headers: headers({ Accept: 'text/event-stream', ...(last ? { 'Last-Event-ID': last } : {}) }),
  });
}

/**
 * Upload files [{file, name}] in one request, into an open batch if one is given. `onProgress(sent, total)`
 * reports the bytes. A retry with the same `key` (Idempotency-Key) ensures that files are accepted once.
 * Returns {done: Promise<{documents, batch_id}>, abort()}.
 */
export function upload(kb, files, { key, batch, onProgress }) {
  const request = new XMLHttpRequest();
  const signedIn = session.key;
  const done = new Promise((resolve, reject) => {
    request.upload.addEventListener('progress', (event) => onProgress(event.loaded, event.total));
    request.addEventListener('load', () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText));
      } else {
        const header = (name) => request.getResponseHeader(name);
        reject(refused(Problem.from(request.status, header, request.responseText), signedIn));
      }
    });
    request.addEventListener('error', () => reject(new Problem({})));
    request.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
  });
  const query = batch ? `?batch=${encodeURIComponent(batch)}` : '';
  request.open('POST', address(`/knowledge-bases/${encodeURIComponent(kb)}/documents${query}`));
  for (const [name, value] of Object.entries(headers({ Accept: 'application/json', 'Idempotency-Key': key }))) {
    request.setRequestHeader(name, value);
  }
  const form = new FormData();
  for (const { file, name } of files) form.append('files', file, name);
  request.send(form);
  return { done, abort: () => request.abort() };
}

/** A random id; works without TLS too, where `crypto.randomUUID` does not exist. */
export function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
