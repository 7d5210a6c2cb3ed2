// Uploads many files as one batch: opens it, fills it with a few requests at a time, and closes it.

import { call, randomKey } from '../shared/api.js';
import { holding, patiently, send } from './uploads.js';

const AT_ONCE = 2;
const GROUP_FILES = 20;
const GROUP_BYTES = 32_000_000;

/** Group files into requests of limited number and size; a large file is a group of its own. */
function* groups(files) {
  let group = [];
  let size = 0;
  for (const each of files) {
    if (group.length && (group.length === GROUP_FILES || size + each.file.size > GROUP_BYTES)) {
      yield group;
      [group, size] = [[], 0];
    }
    group.push(each);
    size += each.file.size;
  }
  if (group.length) yield group;
}

export class BatchUpload {
  /** `files`: [{file, name}]. `onChange()` after each change of the fields below, `onAccepted(documents)` after each request. */
  constructor(kb, name, files, { onChange, onAccepted }) {
    Object.assign(this, { kb, name, files, onChange, onAccepted });
    this.id = null; // of the batch, once it is open
    this.sent = 0; // bytes
    this.total = files.reduce((sum, { file }) => sum + file.size, 0);
    this.accepted = 0;
    this.unchanged = 0;
    this.left = []; // files that were not accepted
    this.problem = null; // the reason why files were not accepted
    this.busy = null; // {problem, seconds}: why the upload waits
    this.isOver = false;
    this.control = new AbortController();
  }

  cancel() {
    this.control.abort();
  }

  /** Send all; the page asks before it is left until then. */
  run() {
    return holding(this.all());
  }

  async all() {
    const waiting = groups(this.files);
    try {
      const made = await this.patiently(() =>
        call('POST', `/knowledge-bases/${encodeURIComponent(this.kb)}/batches`, { body: { name: this.name } }));
      this.id = made.id;
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.work(waiting)));
    } catch (problem) {
      this.stop(problem);
    }
    for (const group of waiting) this.left.push(...group);
    if (this.id) await call('POST', `/batches/${this.id}/close`).catch(() => null); // it closes itself after a while
    this.isOver = true;
    this.busy = null;
    this.onChange();
  }

  async work(waiting) {
    for (const group of waiting) {
      if (this.control.signal.aborted) this.left.push(...group);
      else await this.group(group);
    }
  }

  /** Send one request; if it is refused, each file by itself, so that one bad file does not stop the others. */
  async group(group) {
    let here = 0;
    const moved = (sent) => {
      this.sent += sent - here;
      here = sent;
      this.busy = null;
      this.onChange();
    };
    try {
      const answer = await send(this.kb, group, {
        key: randomKey(),
        batch: this.id,
        signal: this.control.signal,
        onProgress: moved,
        onBusy: (problem, seconds) => this.isBusy(problem, seconds),
      });
      moved(group.reduce((sum, { file }) => sum + file.size, 0));
      this.accepted += answer.documents.length;
      this.unchanged += answer.documents.filter(({ unchanged }) => unchanged).length;
      this.onAccepted(answer.documents);
    } catch (problem) {
      moved(0);
      const aboutFiles = [400, 413, 415, 422].includes(problem.status);
      if (aboutFiles && group.length > 1) {
        for (const each of group) await this.group([each]);
        return;
      }
      this.left.push(...group);
      if (aboutFiles) this.problem ??= problem;
      else this.stop(problem);
    }
    this.onChange();
  }

  patiently(attempt) {
    const { signal } = this.control;
    return patiently(attempt, { signal, onBusy: (problem, seconds) => this.isBusy(problem, seconds) });
  }

  isBusy(problem, seconds) {
    this.busy = { problem, seconds };
    this.onChange();
  }

  stop(problem) {
    if (problem.name !== 'AbortError') this.problem = problem;
    this.control.abort();
  }
}
