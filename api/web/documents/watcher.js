// Follows batches with few connections: a browser opens at most six to one host over HTTP/1.1, and a question or an
// upload must not wait for a free one. The first batches have one event stream each, however many documents they
// have; the rest are polled in turn until a stream is free.

import { call } from '../shared/api.js';
import { follow } from '../shared/sse.js';
import { isOver } from './job.js';

const STREAMS = 2;
const POLL_MS = 3000;
const POLLED_AT_ONCE = 4;

const path = (id) => `/batches/${encodeURIComponent(id)}`;

export class Watcher {
  /** `onState(id, info)` on each state, `onLink(id, isUp)`, `onLost(id, problem)` when it cannot be followed. */
  constructor({ onState, onLink, onLost }) {
    Object.assign(this, { onState, onLink, onLost });
    this.waiting = []; // ids without a stream, the next to be polled first
    this.streams = new Map(); // id → AbortController
    this.paused = false;
    this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  watch(id) {
    if (this.waiting.includes(id) || this.streams.has(id)) return;
    this.waiting.push(id);
    this.fill();
  }

  unwatch(id) {
    this.waiting = this.waiting.filter((other) => other !== id);
    this.streams.get(id)?.abort();
    this.streams.delete(id);
    this.fill();
  }

  /** Close all connections (hidden tab, language switch) until `resume()`. */
  pause() {
    this.paused = true;
    for (const [id, stream] of this.streams) {
      stream.abort();
      this.waiting.unshift(id);
    }
    this.streams.clear();
  }

  resume() {
    this.paused = false;
    this.fill();
  }

  close() {
    clearInterval(this.timer);
    this.pause();
    this.waiting = [];
  }

  fill() {
    while (!this.paused && this.streams.size < STREAMS && this.waiting.length) this.stream(this.waiting.shift());
  }

  async stream(id) {
    const control = new AbortController();
    this.streams.set(id, control);
    let ended = false;
    try {
      await follow(`${path(id)}/events`, {
        signal: control.signal,
        onLink: (isUp) => this.onLink(id, isUp),
        onEvent: ({ event, data }) => {
          if (event !== 'state') return false;
          ended = isOver(data.state);
          if (ended) this.streams.delete(id);
          this.onState(id, data);
          return ended;
        },
      });
    } catch (problem) {
      if (!control.signal.aborted) this.onLost(id, problem);
    }
    if (this.streams.get(id) === control) this.streams.delete(id);
    this.fill();
  }

  async poll() {
    if (this.paused || this.polling) return;
    this.polling = true;
    for (const id of this.waiting.slice(0, POLLED_AT_ONCE)) {
      try {
        const info = await call('GET', path(id));
        if (!this.waiting.includes(id)) continue;
        this.waiting = [...this.waiting.filter((other) => other !== id), id];
        if (isOver(info.state)) this.unwatch(id);
        this.onState(id, info);
      } catch (problem) {
        if (problem.passing !== false) break;
        this.unwatch(id);
        this.onLost(id, problem);
      }
    }
    this.polling = false;
  }
}
