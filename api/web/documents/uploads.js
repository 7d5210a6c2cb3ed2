// Uploads: requests with retries while the server is busy, and a queue of single files, two at a time.

import { randomKey, upload } from '../shared/api.js';

const AT_ONCE = 2;
const PAUSE_SECONDS = 5; // after a 429 or 503 without Retry-After
const DOWN_TRIES = 12; // tries of a request while a dependency of the server is down
const BROKEN_TRIES = 3; // tries of a request whose connection breaks

const open = new Set(); // uploads that are not accepted yet: the page warns before it is left
window.addEventListener('beforeunload', (event) => {
  if (open.size) event.preventDefault();
});

/** Keep the page from being left unasked until the promise is settled. */
export function holding(promise) {
  const mark = {};
  open.add(mark);
  return promise.finally(() => open.delete(mark));
}

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
   * Callbacks, each called with the job {file, name, kb, row, …}: onProgress(job, sent, total), onBusy(job, problem,
   * seconds), onAccepted(job, answer), onFailed(job, problem); `onChange()` when there are others. A job goes on while
   * another knowledge base is shown.
   */
  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.queue = [];
    this.running = new Set();
    this.failed = new Set();
  }

  /** All jobs that are not accepted: in flight, waiting and failed. */
  get jobs() {
    return [...this.failed, ...this.running, ...this.queue];
  }

  /** A retry of a job keeps its idempotency key, so that the file is accepted once. */
  add(job) {
    job.key ??= randomKey();
    job.control = new AbortController();
    job.sent = 0;
    this.failed.delete(job);
    this.queue.push(job);
    open.add(job);
    this.onChange();
    this.next();
  }

  cancel(job) {
    this.queue = this.queue.filter((other) => other !== job);
    this.failed.delete(job);
    open.delete(job);
    job.control.abort();
    this.onChange();
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
        onProgress: (sent, total) => {
          job.sent = sent;
          this.onProgress(job, sent, total);
          this.onChange();
        },
        onBusy: (problem, seconds) => this.onBusy(job, problem, seconds),
      }));
    } catch (problem) {
      if (problem.name !== 'AbortError') {
        this.failed.add(job);
        this.onFailed(job, problem);
      }
    } finally {
      this.running.delete(job);
      open.delete(job);
      this.onChange();
      this.next();
    }
  }

  /** Stop all: the person has signed out. */
  stop() {
    for (const job of this.jobs) this.cancel(job);
  }
}
