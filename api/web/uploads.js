// Uploads: a queue with two at a time, and the files of what was dropped, folders included.

import { randomKey, upload } from './api.js';

const AT_ONCE = 2;

export class Uploads {
  /** Callbacks, each given the job {file, row, …}: onProgress(job, sent, total), onAccepted(job, documents), onFailed(job, problem). */
  constructor({ onProgress, onAccepted, onFailed }) {
    Object.assign(this, { onProgress, onAccepted, onFailed });
    this.queue = [];
    this.running = new Set();
    window.addEventListener('beforeunload', (event) => {
      if (this.running.size || this.queue.length) event.preventDefault();
    });
  }

  /** A second try of the same job keeps its idempotency key, so that the file is accepted once. */
  add(job) {
    job.key ??= randomKey();
    this.queue.push(job);
    this.next();
  }

  cancel(job) {
    this.queue = this.queue.filter((other) => other !== job);
    job.request?.abort();
  }

  async next() {
    if (this.running.size >= AT_ONCE || !this.queue.length) return;
    const job = this.queue.shift();
    this.running.add(job);
    try {
      this.onProgress(job, 0, job.file.size);
      job.request = upload(job.kb, job.file, job.key, (sent, total) => this.onProgress(job, sent, total));
      this.onAccepted(job, await job.request.done);
    } catch (problem) {
      if (problem.name !== 'AbortError') this.onFailed(job, problem);
    } finally {
      this.running.delete(job);
      this.next();
    }
  }

  close() {
    for (const job of [...this.queue, ...this.running]) this.cancel(job);
  }
}

/** The files of a drop. Folders are opened; hidden files in them are left out. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) await collect(entry, found, true);
  return found;
}

async function collect(entry, found, named) {
  if (entry.isFile) {
    if (named || !entry.name.startsWith('.')) found.push(await new Promise((done, fail) => entry.file(done, fail)));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail)); // at most 100 at a time
    if (!some.length) return;
    for (const inner of some) await collect(inner, found, false);
  }
}
