// The HTTP client: the only module with the credentials, the prefix and the format of errors.

import { acceptLanguage, t } from './i18n.js';
import { h } from './dom.js';

const PREFIX = '/api/v1';
const STORED = 'holdfast.key';
const PERSON = 'holdfast.person'; // that this browser has a person's session
const EARLY_MS = 30_000; // an access token is renewed this long before its end
let whenSignedOut = () => {};
let memory = ''; // the key, if the browser's storage is disabled
let access = { token: '', until: 0 };
let refreshing = null;

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

/**
 * The credentials: an API key, stored for this tab or (kept) for this device; or the access token of a person's session,
 * which is only in memory. The session's refresh token is in a cookie that no script can read; all tabs share it.
 */
export const session = {
  get key() {
    return access.token || read(sessionStorage, STORED) || read(localStorage, STORED) || memory;
  },
  /** Whether a person has signed in, and not an API key. */
  get isPerson() {
    return Boolean(access.token);
  },
  signIn(key, keep) {
    this.forget();
    memory = key;
    write(keep ? localStorage : sessionStorage, STORED, key);
  },
  /** Sign in with a password; `keep`: until the session ends, not the browser. */
  async enter(username, password, keep) {
    const tokens = await browserCall('', { username, password, keep });
    this.forget();
    hold(tokens);
  },
  /** Go on with the session of this browser, if there is one; returns whether there is. */
  async resume() {
    if (this.key) return true;
    if (!read(localStorage, PERSON)) return false;
    try {
      await refresh();
    } catch (problem) {
      if (problem.status === 401) write(localStorage, PERSON, '');
      else throw problem;
    }
    return Boolean(this.key);
  },
  /** The provider has just sent the person back with a session. */
  async arrive() {
    this.forget();
    write(localStorage, PERSON, '1');
    await this.resume();
  },
  /** Forget the credentials in all tabs, without a word to the server. */
  forget() {
    memory = '';
    access = { token: '', until: 0 };
    write(sessionStorage, STORED, '');
    write(localStorage, STORED, '');
    write(localStorage, PERSON, '');
  },
  /** Sign out; resolves to the provider's address for signing out there, if it has one. */
  async signOut() {
    const person = this.isPerson;
    this.forget();
    if (!person) return null;
    const left = await browserCall('/sign-out', {}).catch(() => null);
    return left?.provider_url || null;
  },
  /** `listener(problem)` is called when the server rejects the credentials. */
  onSignedOut(listener) {
    whenSignedOut = listener;
  },
};

function read(store, name) {
  try {
    return store.getItem(name);
  } catch {
    return '';
  }
}

function write(store, name, value) {
  try {
    if (value) store.setItem(name, value);
    else store.removeItem(name);
  } catch {
    // Storage is disabled: the credentials stay in memory until the page is left.
  }
}

/** A call about this browser's session. Its header tells the server that no other site's page has sent it. */
const browserCall = (path, body) => post(`/auth/browser${path}`, body, { 'X-Holdfast-Browser': '1' });

/** A call that is not authorized by the credentials. */
async function post(path, body, extra) {
  let response;
  try {
    response = await fetch(PREFIX + path, {
      method: 'POST', credentials: 'same-origin', cache: 'no-store', body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', 'Accept-Language': acceptLanguage(), ...extra },
    });
  } catch {
    throw new Problem({});
  }
  const text = await response.text().catch(() => '');
  if (!response.ok) throw Problem.from(response.status, (name) => response.headers.get(name), text);
  return text ? JSON.parse(text) : null;
}

/** How one may sign in: {provider: the name of the company's provider, or null}. Needs no credentials. */
export async function methods() {
  const response = await fetch(`${PREFIX}/auth/methods`, { credentials: 'omit', cache: 'no-store' });
  return response.ok ? response.json() : null;
}

/** Set the password of an invitation; resolves to who has it now. The session that this begins is not that of the page. */
export async function acceptInvitation(token, password) {
  const { access_token: key } = await post('/auth/invitations/accept', { token, password }, {});
  const options = { credentials: 'omit', cache: 'no-store', headers: { Authorization: `Bearer ${key}` } };
  const response = await fetch(`${PREFIX}/me`, options);
  await fetch(`${PREFIX}/auth/logout`, { method: 'POST', ...options });
  return response.json();
}

function hold(tokens) {
  access = { token: tokens.access_token, until: Date.now() + tokens.expires_in * 1000 };
  write(localStorage, PERSON, '1');
}

/** A new access token; once for several callers, and where the browser can, by one tab after the other. */
function refresh() {
  refreshing ||= inTurn(async () => hold(await browserCall('/refresh', {}))).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

const inTurn = (task) => (navigator.locks ? navigator.locks.request('holdfast.refresh', task) : task());

/** Renew the access token if it is about to end. */
async function renew() {
  if (access.token && access.until - Date.now() < EARLY_MS) await refresh().catch((problem) => ended(problem));
}

/** The server does not renew the session: it has ended. */
function ended(problem) {
  if (problem.status !== 401) throw problem;
  session.forget();
  whenSignedOut(new Problem({ status: 401, key: 'sign_in.ended' }));
  throw problem;
}

// Another tab has signed out: so has this one.
window.addEventListener('storage', (event) => {
  if (event.key !== PERSON || event.newValue || !access.token) return;
  access = { token: '', until: 0 };
  whenSignedOut(null);
});

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

/** `options(headers)` are those of `fetch`: they are made again where an access token had to be renewed. */
async function send(path, options, again = true) {
  await renew();
  const key = session.key;
  let response;
  try {
    response = await fetch(address(path), { credentials: 'same-origin', cache: 'no-store', ...options() });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({});
  }
  if (response.ok) return response;
  if (response.status === 401 && access.token && again) {
    if (key === access.token) await refresh().catch(ended);
    return send(path, options, false);
  }
  const header = (name) => response.headers.get(name);
  throw refused(Problem.from(response.status, header, await response.text().catch(() => '')), key);
}

/** One call; resolves to the decoded JSON (null for an empty body). */
export async function call(method, path, { body, query, signal } = {}) {
  const pairs = Object.entries(query || {}).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
  const search = new URLSearchParams(pairs.filter(([, value]) => value));
  const response = await send(search.size ? `${path}?${search}` : path, () => ({
    method,
    signal,
    headers: headers({ Accept: 'application/json', ...(body ? { 'Content-Type': 'application/json' } : {}) }),
    body: body && JSON.stringify(body),
  }));
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** The response of a path as a Blob. */
export async function download(path) {
  return (await send(path, () => ({ headers: headers({}) }))).blob();
}

/** Open an event stream after the event `last`; resolves to the response. */
export function open(path, last, signal) {
  return send(path, () => ({
    signal,
    headers: headers({ Accept: 'text/event-stream', ...(last ? { 'Last-Event-ID': last } : {}) }),
  }));
}

/**
 * Upload files [{file, name}] in one request, into an open batch if one is given. `onProgress(sent, total)`
 * reports the bytes. A retry with the same `key` (Idempotency-Key) ensures that files are accepted once.
 * Returns {done: Promise<{documents, batch_id}>, abort()}.
 */
export function upload(kb, files, { key, batch, onProgress }) {
  const request = new XMLHttpRequest();
  let aborted = false;
  let signedIn = '';
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
    renew().then(() => {
      if (aborted) throw new DOMException('aborted', 'AbortError');
      signedIn = session.key;
      start();
    }).catch(reject);
  });
  function start() {
    const query = batch ? `?batch=${encodeURIComponent(batch)}` : '';
    request.open('POST', address(`/knowledge-bases/${encodeURIComponent(kb)}/documents${query}`));
    for (const [name, value] of Object.entries(headers({ Accept: 'application/json', 'Idempotency-Key': key }))) {
      request.setRequestHeader(name, value);
    }
    const form = new FormData();
    for (const { file, name } of files) form.append('files', file, name);
    request.send(form);
  }
  return {
    done,
    abort() {
      aborted = true;
      request.abort();
    },
  };
}

/** A random id; works without TLS too, where `crypto.randomUUID` does not exist. */
export function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
