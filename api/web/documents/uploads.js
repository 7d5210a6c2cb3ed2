// Uploads: requests with retries while the server is busy, and a queue of single files, two at a time.

import { randomKey, upload } from '../shared/api.js';

const AT_ONCE = 2;
const PAUSE_SECONDS = 5; // after a 429 or 503 without Retry-After
const DOWN_TRIES = 12; // tries of a request while a dependency of the server is down
const BROKEN_TRIES = 3; // tries of a request whose connection breaks

const open = new Set(); // uploads in flight: the page warns before it is left
window.addEventListener('beforeunload', (event) => {
  if (open.size) event.preventDefault();
});

/** Whether a retry can succeed after so many tries. Retries are unlimited while the server is busy. */
function again(problem, tries) {
  if (problem.status === 429) return true;
  return tries < (problem.status === 503 ? DOWN_TRIES : problem.status === 0 ? BROKEN_TRIES : 0);
}

function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

/** Call `attempt()` until it succeeds or a retry cannot; `onBusy(problem, seconds)` before each pause. */
export async function patiently(attempt, { signal, onBusy }) {
  const mark = {};
  open.add(mark);
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt();
      } catch (problem) {
        if (signal.aborted || problem.name === 'AbortError' || !again(problem, tries)) throw problem;
        const seconds = problem.retryAfter ?? PAUSE_SECONDS;
        onBusy(problem, seconds);
        await pause(seconds, signal);
        if (signal.aborted) throw new DOMException('aborted', 'AbortError');
      }
    }
  } finally {
    open.delete(mark);
  }
}

/** Send files in one request; resolves to the server's response. */
export function send(kb, files, { key, batch, signal, onProgress, onBusy }) {
  const attempt = async () => {
    const request = upload(kb, files, { key, batch, onProgress });
    signal.addEventListener('abort', request.abort);
    try {
      return await request.done;
    } finally {
      signal.removeEventListener('abort', request.abort);
    }
  };
  return patiently(attempt, { signal, onBusy });
}

export class Uploads {
  /**
   * Callbacks, each called with the job {file, name, row, …}: onProgress(job, sent, total), onBusy(job, problem, seconds),
   * onAccepted(job, answer), onFailed(job, problem).
   */
  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.queue = [];
    this.running = new Set();
  }

  /** A retry of a job keeps its idempotency key, so that the file is accepted once. */
  add(job) {
    job.key ??= randomKey();
    job.control = new AbortController();
    this.queue.push(job);
    open.add(job);
    this.next();
  }

  cancel(job) {
    this.queue = this.queue.filter((other) => other !== job);
    open.delete(job);
    job.control.abort();
  }

  async next() {
    if (this.running.size >= AT_ONCE || !this.queue.length) return;
    const job = this.queue.shift();
    this.running.add(job);
    try {
      this.onProgress(job, 0, job.file.size);
      this.onAccepted(job, await send(job.kb, [job], {
        key: job.key,
        signal: job.control.signal,
        onProgress: (sent, total) => this.onProgress(job, sent, total),
        onBusy: (problem, seconds) => this.onBusy(job, problem, seconds),
      }));
    } catch (problem) {
      if (problem.name !== 'AbortError') this.onFailed(job, problem);
    } finally {
      this.running.delete(job);
      open.delete(job);
      this.next();
    }
  }

  close() {
    for (const job of [...this.queue, ...this.running]) this.cancel(job);
  }
}
