// One batch as a card: progress of its upload and its documents, and its actions.

import { announce, h } from '../shared/dom.js';
import { bind, bindAttr, plain, t } from '../shared/i18n.js';
import { bytes, duration, moment, percent } from '../shared/format.js';
import { STATES, isOver, showReason, showState } from './job.js';

const ORDER = ['queued', 'running', 'waiting', 'paused', 'ready', 'failed', 'canceled'];
const MAX_PARALLELISM = 64;

export class BatchCard {
  /** `actions`: {control(card, action), parallelism(card, n), show(card, state), again(card), stop(card), dismiss(card)}. */
  constructor(name, actions) {
    Object.assign(this, { name, actions, info: null, upload: null });
    this.title = h('h3', { class: 'batch-name', title: name }, name);
    this.pill = h('span', { class: 'pill' });
    this.bar = h('progress', { class: 'batch-bar', max: '1', value: '0', labels: { 'aria-label': ['batch.bar', { name }] } });
    this.facts = h('p', { class: 'doc-facts' });
    this.counts = h('ul', { class: 'batch-counts', labels: { 'aria-label': 'batch.counts' } });
    this.reason = h('p', { class: 'doc-reason', hidden: true });
    this.sending = h('p', { class: 'batch-sending', hidden: true });
    this.buttons = h('span', { class: 'doc-buttons' });
    this.parallelism = h('input', { type: 'number', min: '1', max: String(MAX_PARALLELISM), step: '1', inputmode: 'numeric' });
    this.parallelism.addEventListener('change', () => this.changeParallelism());
    this.atOnce = h('label', { class: 'batch-at-once', labels: { title: 'batch.at_once_help' } },
      h('span', { text: 'batch.at_once' }), this.parallelism);
    this.element = h('li', { class: 'batch' },
      h('div', { class: 'doc-head' }, this.title, this.pill),
      this.bar, this.facts, this.counts, this.reason, this.sending,
      h('div', { class: 'batch-foot' }, this.atOnce, this.buttons));
    this.refresh();
  }

  get id() {
    return this.info?.id ?? this.upload?.id;
  }

  /** Show the batch as received from the server. */
  show(info) {
    const before = this.info?.state;
    this.info = info;
    this.acting = false;
    if (info.name) {
      this.name = info.name;
      plain(this.title, info.name);
      this.title.title = info.name;
    } else bind(this.title, 'batch.unnamed', { when: () => moment(info.created_at) });
    if (before && before !== info.state) announce(t('job.announce', { name: this.name, text: this.spoken() }));
    this.refresh();
  }

  /** Show whether the connection for its states is lost. */
  showLink(isUp) {
    if (isUp) this.refresh();
    else {
      this.reason.replaceChildren(h('span', { text: 'job.reconnecting' }));
      this.reason.hidden = false;
    }
  }

  spoken() {
    const state = STATES[this.info.state] ? t(STATES[this.info.state]) : this.info.state;
    const { failed } = this.info;
    const words = failed ? t('batch.with_failed', { state, n: failed }) : state;
    return t('batch.spoken', { state: words, done: this.info.done, total: this.info.total });
  }

  get state() {
    return this.info?.state ?? 'queued';
  }

  get isUploading() {
    return Boolean(this.upload && !this.upload.isOver);
  }

  refresh() {
    const { info } = this;
    this.element.dataset.state = this.isUploading && this.state === 'queued' ? 'uploading' : this.state;
    if (this.id) this.element.dataset.id = this.id;
    if (this.isUploading && this.state === 'queued') {
      this.pill.dataset.state = 'uploading';
      bind(this.pill, 'upload.progress');
    } else this.showPill();
    this.bar.hidden = this.facts.hidden = this.counts.hidden = !info;
    this.atOnce.hidden = !info || isOver(info.state);
    if (info) this.showProgress(info);
    this.showUpload();
    this.offer();
  }

  /** The state; one with failed documents says how many, and looks like a failure once it is over. */
  showPill() {
    const failed = this.info?.failed;
    if (!failed || this.state === 'failed' || !STATES[this.state]) return showState(this.pill, this.state);
    this.pill.dataset.state = isOver(this.state) ? 'failed' : this.state;
    bind(this.pill, 'batch.with_failed', { state: () => t(STATES[this.state]), n: failed });
  }

  showProgress(info) {
    const expected = Math.max(info.total, this.isUploading ? this.upload.files.length : 0);
    if (expected) this.bar.value = info.done / expected;
    else this.bar.removeAttribute('value');
    const fact = (key, params) => h('span', { text: [key, params] });
    this.facts.replaceChildren(...[
      fact('batch.done', { done: info.done, total: expected }),
      !isOver(info.state) && info.rate_per_minute > 0 && fact('batch.rate', { n: Math.max(1, Math.round(info.rate_per_minute)) }),
      !isOver(info.state) && info.eta_seconds > 0 && fact('job.eta', { time: () => duration(info.eta_seconds) }),
      info.skipped.length > 0 && fact('batch.skipped', { n: info.skipped.length }),
      info.finished_at && fact('app.value', { value: () => moment(info.finished_at) }),
    ].filter(Boolean));
    const states = ORDER.filter((state) => info.documents[state]);
    this.showCounts(states.map((state) => [state, info.documents[state]]));
    if (document.activeElement !== this.parallelism) this.parallelism.value = info.parallelism;
    showReason(this.reason, info);
  }

  /** Counts by state, each a button that shows those documents. Existing buttons are kept, with the focus. */
  showCounts(counts) {
    const items = counts.map(([state, n]) => {
      const known = this.counts.querySelector(`li[data-state="${state}"]`);
      if (known?.dataset.n === String(n)) return known;
      const number = h('b', { text: ['app.value', { value: n }] });
      const item = known || h('li', { data: { state } }, h('button', {
        type: 'button', class: 'count', on: { click: () => this.actions.show(this, state) },
      }));
      item.dataset.n = n;
      item.firstChild.replaceChildren(h('span', { text: STATES[state] }), ' ', number);
      bindAttr(item.firstChild, 'aria-label', 'batch.show', { state: () => t(STATES[state]), n, name: () => this.name });
      return item;
    });
    const same = items.length === this.counts.children.length && items.every((item, at) => item === this.counts.children[at]);
    if (!same) this.counts.replaceChildren(...items);
  }

  showUpload() {
    const { upload } = this;
    const lines = [];
    if (this.isUploading) {
      const share = () => percent(upload.total ? Math.min(1, upload.sent / upload.total) : 0);
      lines.push(h('span', { text: ['batch.sending', { percent: share, size: () => bytes(upload.total) }] }));
      if (upload.busy) {
        const seconds = upload.busy.seconds;
        lines.push(upload.busy.problem.say(), h('span', { text: ['upload.again_in', { time: () => duration(seconds) }] }));
      }
    } else if (upload) {
      if (upload.unchanged) lines.push(h('span', { text: ['batch.unchanged', { n: upload.unchanged }] }));
      if (upload.left.length) {
        lines.push(h('strong', { text: ['batch.left', { n: upload.left.length, name: upload.left[0].name }] }));
        if (upload.problem) lines.push(upload.problem.say());
      }
    }
    this.sending.replaceChildren(...lines.flatMap((line, at) => (at ? [' ', line] : [line])));
    this.sending.hidden = !lines.length;
    this.sending.classList.toggle('bad', Boolean(!this.isUploading && upload?.left.length));
  }

  /** Show the buttons of the actions that the state allows. */
  offer() {
    const { info, upload } = this;
    const state = info?.state;
    const over = !info || isOver(state);
    const failed = (info?.documents.failed || 0) + (info?.documents.canceled || 0);
    const control = (action) => () => this.actions.control(this, action);
    const wanted = [
      !over && state !== 'paused' && ['documents.pause', 'batch.pause_named', control('pause')],
      state === 'paused' && ['documents.resume', 'batch.resume_named', control('resume')],
      !over && ['documents.cancel', 'batch.cancel_named', control('cancel')],
      !info && this.isUploading && ['upload.cancel', 'batch.cancel_named', () => this.actions.stop(this)],
      failed > 0 && state !== 'paused' && ['batch.retry', 'batch.retry_named', control('retry-failed')],
      upload?.isOver && upload.left.length > 0 && ['upload.retry', 'batch.again_named', () => this.actions.again(this)],
      over && !this.isUploading && ['upload.dismiss', 'batch.dismiss_named', () => this.actions.dismiss(this)],
    ].filter(Boolean);
    const key = wanted.map(([text]) => text).join();
    for (const button of this.buttons.children) button.disabled = Boolean(this.acting);
    if (key === this.offered) return;
    this.offered = key;
    const focused = [...this.buttons.children].indexOf(document.activeElement);
    this.buttons.replaceChildren(...wanted.map(([text, label, click]) => {
      const button = h('button', { type: 'button', class: 'quiet small', text, on: { click } });
      bindAttr(button, 'aria-label', label, { name: () => this.name });
      return button;
    }));
    if (focused >= 0) (this.buttons.children[focused] || this.buttons.lastElementChild)?.focus();
  }

  /** Disable the buttons while a request is in flight. */
  act(isActing) {
    this.acting = isActing;
    for (const button of this.buttons.children) button.disabled = isActing;
  }

  changeParallelism() {
    const wanted = Math.min(MAX_PARALLELISM, Math.max(1, Math.round(Number(this.parallelism.value)) || 1));
    this.parallelism.value = wanted;
    this.actions.parallelism(this, wanted);
  }
}
