// Server-sent events over fetch: EventSource cannot send the Authorization header.

import { Problem, open } from './api.js';

const SILENCE_MS = 45_000; // a live server sends at least a comment more often than this
const SOUND_MS = 5_000; // a connection that lasted this long resets the backoff
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 10_000;

/** The lines of a stream of bytes, ended by CR, LF or CRLF, even if a chunk splits a CRLF. */
async function* lines(reader, alive) {
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    rest += decoder.decode(value, { stream: true });
    let end;
    while ((end = rest.search(/\r\n|\n|\r(?!$)/)) >= 0) {
      yield rest.slice(0, end);
      rest = rest.slice(end + (rest.startsWith('\r\n', end) ? 2 : 1));
    }
  }
}

/** The events of a stream: {event, data, id}. An incomplete last event is dropped. */
async function* events(reader, alive) {
  let event = { event: 'message', data: [], id: undefined };
  for await (const line of lines(reader, alive)) {
    if (line === '') {
      if (event.data.length || event.id !== undefined) yield { ...event, data: event.data.join('\n') };
      event = { event: 'message', data: [], id: undefined };
      continue;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) || [];
    if (field === 'event') event.event = value;
    else if (field === 'data') event.data.push(value);
    else if (field === 'id') event.id = value;
  }
}

/**
 * Follow an event stream until `onEvent({event, data, id})` returns true or `signal` aborts.
 * Reopens a lost connection with Last-Event-ID and backoff; `onLink(isUp)` reports both.
 * `once`: drop events that the server repeats after a reconnect (ids must be ascending numbers).
 * Throws a Problem for an error that a retry cannot resolve.
 */
export async function follow(path, { signal, onEvent, onLink = () => {}, once = false }) {
  let last = '';
  let failures = 0;
  while (!signal.aborted) {
    const link = new AbortController();
    let opened = Infinity;
    const stop = () => link.abort();
    signal.addEventListener('abort', stop);
    let timer = setTimeout(stop, SILENCE_MS);
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
    };
    try {
      const response = await open(path, last, link.signal);
      if (response.status === 204) return;
      onLink(true);
      opened = performance.now();
      const before = once && /^\d+$/.test(last) ? Number(last) : -Infinity;
      for await (const event of events(response.body.getReader(), alive)) {
        if (event.id !== undefined) {
          if (Number(event.id) <= before) continue;
          last = event.id;
        }
        if (event.data && onEvent({ ...event, data: JSON.parse(event.data) })) return;
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem ? !error.passing : error instanceof SyntaxError) throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      link.abort();
    }
    failures = performance.now() - opened > SOUND_MS ? 1 : failures + 1;
    if (failures > 1) onLink(false);
    await rest(failures, signal);
  }
}

/** Wait before the next try: longer each time, cut short when the network or the tab becomes active again. */
function rest(failures, signal) {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 6));
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      window.removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, longest * (0.6 + 0.4 * Math.random()));
    signal.addEventListener('abort', done);
    window.addEventListener('online', done);
  });
}
