// Adding files: one is a row, several are a batch. Uploads go on while another knowledge base is shown.

import { $, announce } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { DropZone } from './drop_zone.js';
import { showSending, tally } from './sending.js';
import { Uploads } from './uploads.js';

export class Adding {
  /**
   * `kb()`: the open knowledge base, null if none takes files; `newRow(name)`. `onAdd()` when files are given, `onRows()`
   * when there are more rows, `onDrop(row)` when one is to go, `onAccepted(job, answer)` of the open knowledge base.
   */
  constructor(batches, { kb, newRow, onAdd, onRows, onDrop, onAccepted }) {
    Object.assign(this, { batches, kb, newRow, onRows, onDrop });
    this.uploads = new Uploads({
      onProgress: (job, sent, total) => job.row.showUpload(job.file, sent, total),
      onBusy: (job, problem, seconds) => job.row.showBusy(problem, seconds),
      onAccepted: (job, answer) => {
        announce(t('upload.done', { name: job.name }));
        if (job.kb === kb()) onAccepted(job, answer);
      },
      onFailed: (job, problem) => job.row.showUploadFailed(job.file, problem),
      onChange: () => this.showSending(),
    });
    new DropZone({
      onFiles: (found, folder) => {
        onAdd();
        this.add(found, folder);
      },
      isOpen: () => kb(),
    });
  }

  /** Upload files: one is a row, several are a batch; an archive becomes a batch on the server. */
  add(found, folder) {
    const isArchive = ({ name }) => /\.zip$/i.test(name);
    const plain = found.filter((each) => !isArchive(each));
    const alone = plain.length > 1 ? found.filter(isArchive) : found;
    if (plain.length > 1) this.batches.upload(plain, folder || `${plain[0].name} + ${plain.length - 1}`);
    const jobs = alone.map((each) => ({ ...each, kb: this.kb(), row: this.newRow(each.name) }));
    for (const job of jobs) job.row.job = job;
    $('docs').prepend(...jobs.map((job) => job.row.element));
    this.onRows();
    jobs.forEach((job) => this.start(job));
  }

  start(job) {
    job.row.showUpload(job.file, null);
    this.uploads.add(job);
  }

  cancel(row) {
    this.uploads.cancel(row.job);
    this.onDrop(row);
  }

  /** Show the rows of the open knowledge base that are not accepted. */
  show() {
    const jobs = this.uploads.jobs.filter((job) => job.kb === this.kb());
    $('docs').prepend(...jobs.map((job) => job.row.element));
  }

  /** Show in the header what is being uploaded elsewhere. */
  showSending() {
    const uploads = [...this.batches.sending].map((card) => card.upload);
    showSending(tally(this.uploads.jobs, this.uploads.failed, uploads));
  }

  /** Stop all: the person has signed out. */
  stop() {
    this.uploads.stop();
    this.batches.stop();
  }
}
