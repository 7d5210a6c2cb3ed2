// A job's state in words and stages: parse → chunk → embed → index → publish.

import { bind, bindAttr, plain, t } from '../shared/i18n.js';
import { h } from '../shared/dom.js';
import { duration, moment, percent } from '../shared/format.js';

const STAGES = {
  parse: 'stage.parse',
  chunk: 'stage.chunk',
  embed: 'stage.embed',
  index: 'stage.index',
  publish: 'stage.publish',
};

export const STATES = {
  queued: 'state.queued',
  running: 'state.running',
  waiting: 'state.waiting',
  paused: 'state.paused',
  ready: 'state.ready',
  failed: 'state.failed',
  canceled: 'state.canceled',
  deleting: 'state.deleting',
};

const DEPENDENCIES = {
  triton: 'dependency.triton',
  milvus: 'dependency.milvus',
  catalog: 'dependency.catalog',
  temporal: 'dependency.temporal',
  blobs: 'dependency.blobs',
  worker: 'dependency.worker',
  index: 'dependency.index',
  source: 'dependency.source',
  room: 'dependency.room',
  confirmation: 'dependency.confirmation',
};

/** Whether a state is final. */
export const isOver = (state) => ['ready', 'failed', 'canceled'].includes(state);

/** The name of the dependency that a job waits for. */
export const dependency = (name) => (DEPENDENCIES[name] ? t(DEPENDENCIES[name]) : name);

/** The text of a reason: a sentence, {detail}, or nothing. */
export const sentence = (reason) => (typeof reason === 'string' ? reason : reason?.detail || reason?.message || '');

/** The stage indicator of a document's job; `show(job)` updates it. */
export class Steps {
  constructor() {
    this.items = Object.entries(STAGES).map(([stage, key]) => {
      const bar = h('progress', { max: '1', value: '0', 'aria-hidden': 'true' });
      const item = h('li', { data: { stage } }, bar, h('span', { class: 'step-name', text: key }));
      return { stage, item, bar };
    });
    this.element = h('ol', { class: 'steps', labels: { 'aria-label': 'job.steps' } }, ...this.items.map(({ item }) => item));
  }

  show(job) {
    const at = this.items.findIndex(({ stage }) => stage === job.stage);
    const now = at >= 0 ? at : Math.max(0, (job.stage_number || 1) - 1);
    this.items.forEach(({ item, bar }, index) => {
      const place = index < now ? 'done' : index === now ? 'now' : 'next';
      item.dataset.place = place;
      if (place === 'now') item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
      if (place === 'now' && !job.total && job.state === 'running') bar.removeAttribute('value');
      else bar.value = place === 'done' ? 1 : place === 'next' ? 0 : Math.min(1, (job.done || 0) / (job.total || 1));
    });
  }
}

/** Progress, attempt, time left and the reason for waiting, below the stages. Rebuilds `element`. */
export function showFacts(element, job) {
  const facts = [];
  const fact = (key, params) => facts.push(h('span', { text: [key, params] }));
  if (job.total && STAGES[job.stage] && job.state !== 'queued') {
    fact('job.progress', { stage: () => t(STAGES[job.stage]), done: job.done || 0, total: job.total });
  }
  if (job.attempt > 1) fact('job.attempt', { n: job.attempt });
  if (job.state === 'running' && job.eta_seconds > 0) fact('job.eta', { time: () => duration(job.eta_seconds) });
  if (job.state === 'waiting' && job.next_attempt_at) {
    fact('job.next_attempt', { time: () => moment(job.next_attempt_at, 'medium') });
  }
  element.replaceChildren(...facts);
  element.hidden = facts.length === 0;
}

/** Show why a job waits or failed in one line. Returns whether there is a reason. */
export function showReason(element, job) {
  const why = sentence(job.reason);
  element.replaceChildren();
  if (job.waiting_for && !isOver(job.state)) {
    element.append(h('strong', { text: ['job.waiting_for', { what: () => dependency(job.waiting_for) }] }), ' ');
    element.append(why ? h('span', {}, why) : h('span', { text: 'job.on_its_own' }));
  } else if (why) {
    element.append(h('span', {}, why));
  } else if (job.state === 'failed') {
    element.append(h('span', { text: 'job.no_reason' }));
  }
  element.hidden = !element.hasChildNodes();
}

/** Show in one line what of a file could not be read or was left out. */
export function showRemarks(element, job) {
  const texts = (job.remarks || []).map((remark) => remark.text);
  element.replaceChildren();
  if (texts.length) element.append(h('span', { text: ['job.remarks', { what: () => texts.join(' · ') }] }));
  element.hidden = !texts.length;
}

/** The text for screen readers; changes with the stage, not with each count. */
export function spoken(job) {
  if (job.state === 'running' && STAGES[job.stage]) return t(STAGES[job.stage]);
  if (job.state === 'waiting' && job.waiting_for) return t('job.waiting_for', { what: dependency(job.waiting_for) });
  const words = STATES[job.state] ? t(STATES[job.state]) : job.state;
  return job.state === 'failed' ? `${words}. ${sentence(job.reason)}` : words;
}

/** The coloured label of a state. */
export function showState(pill, state) {
  pill.dataset.state = state;
  if (STATES[state]) bind(pill, STATES[state]);
  else plain(pill, state);
}

/** A progress bar of an upload with its text. */
export function showShare(bar, label, sent, total, size) {
  const share = total ? sent / total : 0;
  bar.value = share;
  bindAttr(bar, 'aria-label', share < 1 ? 'upload.progress' : 'upload.checking');
  if (share < 1) bind(label, 'upload.percent', { percent: () => percent(Math.floor(share * 100) / 100), size });
  else bind(label, 'upload.checking');
}
