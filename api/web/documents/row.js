// One document in the list: first an upload, then a job, then a document.

import { announce, h } from '../shared/dom.js';
import { bind, bindAttr, plain, t } from '../shared/i18n.js';
import { bytes, duration, shortMoment } from '../shared/format.js';
import { menuButton } from '../shared/menu.js';
import { runAddress } from '../shared/runs.js';
import { Steps, isOver, showFacts, showReason, showRemarks, showShare, showState, spoken } from './job.js';

const PAUSE = ['documents.pause', 'pause'];
const CANCEL = ['documents.cancel', 'cancel'];
const RETRY = ['documents.retry', 'retry'];

/** The actions on a document in each state, besides deleting it. */
const CONTROLS = {
  queued: [PAUSE, CANCEL],
  running: [PAUSE, CANCEL],
  waiting: [PAUSE, CANCEL],
  paused: [['documents.resume', 'resume'], CANCEL],
  failed: [RETRY],
  canceled: [RETRY],
};

const NAMED = {
  pause: 'documents.pause_named',
  resume: 'documents.resume_named',
  cancel: 'documents.cancel_named',
  retry: 'documents.retry_named',
};

const COLUMNS = ['version', 'pages', 'chunks', 'bytes', 'updated'];

export class DocumentRow {
  /**
   * `actions`: {show(row), original(row), tags(row), remove(row), control(row, action), select(row, isRange), may()}, and
   * of an upload {again(row), dismiss(row), stop(row)}. `may()`: {control, tag, remove}, what the caller may do.
   */
  constructor(name, actions) {
    this.item = { name };
    this.id = null;
    this.said = '';
    this.touched = 0; // time of the last change from a source newer than the list
    this.actions = actions;
    this.name = h('button', { type: 'button', class: 'doc-name', title: name, on: { click: () => this.id && actions.show(this) } }, name);
    this.note = null; // [key, params]: what is to be said of it once its job is over
    this.check = h('input', { type: 'checkbox', class: 'doc-check', hidden: true, on: { click: (event) => actions.select(this, event.shiftKey) } });
    this.left = h('p', { class: 'doc-left', hidden: true, text: 'documents.left' });
    this.tags = h('ul', { class: 'doc-tags', hidden: true, labels: { 'aria-label': 'documents.tags' } });
    this.pill = h('span', { class: 'pill' });
    this.buttons = h('span', { class: 'doc-buttons' });
    this.meta = h('p', { class: 'doc-meta' });
    this.bar = h('progress', { class: 'doc-upload', max: '1', value: '0' });
    this.steps = new Steps();
    this.facts = h('p', { class: 'doc-facts', hidden: true });
    this.reason = h('p', { class: 'doc-reason', hidden: true });
    this.element = h('li', { class: 'doc' }, this.check,
      h('div', { class: 'doc-head' }, this.name, this.tags), this.pill, this.meta, this.buttons,
      this.bar, this.steps.element, this.facts, this.reason, this.left);
    this.only();
  }

  get state() {
    return this.element.dataset.state;
  }

  /** Show a file that is not accepted yet. */
  showUpload(file, sent, total) {
    this.only(this.bar);
    const size = () => bytes(file.size);
    this.mark(sent === null ? 'queued' : 'uploading');
    bind(this.pill, sent === null ? 'upload.queued' : 'upload.progress');
    if (sent === null) this.describe({ bytes: ['app.value', { value: size }] });
    else {
      const label = h('span');
      showShare(this.bar, label, sent, total, size);
      this.meta.replaceChildren(label);
      label.className = 'share';
    }
    this.offer(['upload.cancel', 'stop']);
  }

  showUploadFailed(file, problem) {
    this.describe({ bytes: ['app.value', { value: () => bytes(file.size) }] });
    this.only(this.reason);
    this.mark('failed');
    bind(this.pill, 'upload.failed');
    this.reason.replaceChildren(problem.say());
    this.offer(['upload.retry', 'again'], ['upload.dismiss', 'dismiss']);
  }

  /** Show that the server accepts no uploads for some seconds; the file is sent again then. */
  showBusy(problem, seconds) {
    this.reason.replaceChildren(problem.say(), ' ', h('span', { text: ['upload.again_in', { time: () => duration(seconds) }] }));
    this.reason.hidden = false;
  }

  /** Show a document from the list. */
  showItem(item) {
    this.item = { ...this.item, ...item };
    this.id = this.item.id;
    this.element.dataset.id = this.id;
    this.check.hidden = false;
    bindAttr(this.check, 'aria-label', 'bulk.select', { name: () => this.item.name });
    plain(this.name, this.item.name);
    this.name.title = this.item.name;
    const { version, pages, chunks, bytes: size, updated_at: when, tags } = this.item;
    this.describe({
      version: ['documents.version', version > 1 && { n: version }],
      pages: ['documents.pages', pages > 0 && { n: pages }],
      chunks: ['documents.chunks', chunks > 0 && { n: chunks }],
      bytes: ['app.value', size > 0 && { value: () => bytes(size) }],
      updated: ['app.value', when && { value: () => shortMoment(when) }],
    });
    this.tags.replaceChildren(...(tags || []).map((tag) => h('li', {}, tag)));
    this.tags.hidden = !tags?.length;
    this.showJob(this.item);
  }

  /** Update from a list requested at the time `asked`; newer states are kept. */
  showListed(item, asked) {
    const seen = JSON.stringify(item);
    if (asked < this.touched || seen === this.seen || this.state === 'deleting') return;
    this.showItem(item);
    this.seen = seen;
  }

  /** Mark the row as newer than any list in flight. */
  touch() {
    this.touched = performance.now();
    this.seen = null;
  }

  /** Show the job's state; stages are shown only while it is in flight. */
  showJob(job) {
    if (this.state === 'deleting') return;
    this.latest = job;
    this.item.state = job.state;
    this.mark(job.state);
    showState(this.pill, job.state);
    const over = isOver(job.state);
    this.only(!over && job.stage && this.steps.element);
    if (!over) {
      this.steps.show(job);
      showFacts(this.facts, job);
    }
    if (job.state === 'ready') showRemarks(this.reason, job);
    else showReason(this.reason, job);
    if (this.note && over && this.reason.hidden) this.showHint(...this.note);
    this.offer(...(this.actions.may().control && CONTROLS[job.state]) || []);
    this.say(job);
  }

  showDeleting() {
    this.only();
    this.mark('deleting');
    showState(this.pill, 'deleting');
    this.buttons.replaceChildren();
  }

  /** Show a note that is no failure: unchanged content, a lost connection. */
  showHint(key, params) {
    this.reason.replaceChildren(h('span', { text: [key, params] }));
    this.reason.hidden = false;
  }

  /** Show whether the connection for this job's states is lost. */
  showLink(isUp) {
    if (!this.latest || isOver(this.state)) return;
    if (isUp) this.showJob(this.latest);
    else this.showHint('job.reconnecting');
  }

  /** Show whether it is selected. */
  select(isOn) {
    this.check.checked = isOn;
    this.element.classList.toggle('selected', isOn);
  }

  /** Show that it does not match the filter any more: it stays until the list is loaded again. */
  leave(isOut) {
    this.left.hidden = !isOut;
    this.element.classList.toggle('out', isOut);
  }

  say(job) {
    const words = spoken(job);
    if (this.said && this.said !== words) announce(t('job.announce', { name: this.item.name, text: words }));
    this.said = words;
  }

  mark(state) {
    this.element.dataset.state = state;
    if (state !== 'deleting') this.pill.dataset.state = state;
  }

  /** Show only this one of the optional parts. */
  only(part) {
    for (const other of [this.bar, this.steps.element, this.facts, this.reason]) other.hidden = other !== part;
  }

  /** Show the details, each in its column: {column: [key, params or nothing]}. */
  describe(facts) {
    this.meta.replaceChildren(...COLUMNS.map((column) => {
      const [key, params] = facts[column] || [];
      return h('span', { class: column, ...(params && { text: [key, params] }) });
    }));
  }

  /** Disable the buttons while a request is in flight. */
  act(isActing) {
    for (const button of this.buttons.children) button.disabled = isActing;
  }

  /** Show the row's buttons: the given ones, and a menu if it is a document. */
  offer(...given) {
    const isDocument = this.id && this.state !== 'uploading';
    const wanted = [...given.map(([, action]) => action), isDocument].join();
    if (this.offered === wanted) return;
    this.offered = wanted;
    const focused = [...this.buttons.children].indexOf(document.activeElement);
    const buttons = given.map(([key, action]) => {
      const click = () => (this.actions[action] ? this.actions[action](this) : this.actions.control(this, action));
      const button = h('button', { type: 'button', class: 'quiet small', text: key, on: { click } });
      if (NAMED[action]) bindAttr(button, 'aria-label', NAMED[action], { name: () => this.item.name });
      return button;
    });
    if (isDocument) buttons.push(menuButton(['documents.menu', { name: () => this.item.name }], () => this.menu()));
    this.buttons.replaceChildren(...buttons);
    if (focused >= 0) (this.buttons.children[focused] || this.buttons.lastElementChild)?.focus();
  }

  menu() {
    const may = this.actions.may();
    const run = runAddress(this.item.workflow_id);
    return [
      { text: 'documents.show', run: () => this.actions.show(this) },
      { text: 'documents.original', run: () => this.actions.original(this) },
      run && { text: 'runs.open', run: () => window.open(run, '_blank', 'noopener,noreferrer') },
      may.tag && { text: 'documents.edit_tags', run: () => this.actions.tags(this) },
      may.remove && { text: 'documents.delete', run: () => this.actions.remove(this), danger: true },
    ].filter(Boolean);
  }
}
