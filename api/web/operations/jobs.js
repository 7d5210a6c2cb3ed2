// Jobs that have not ended: how many of each kind, and a table of them, started ones first.

import { call } from '../shared/api.js';
import { $, h, notify } from '../shared/dom.js';
import { bind, bindAttr } from '../shared/i18n.js';
import { duration, moment } from '../shared/format.js';
import { documentsAddress, indexAddress } from '../shared/route.js';
import { STATES, dependency } from '../documents/job.js';
import { Rows } from './rows.js';

const KINDS = {
  document: ['operations.kind_document', 'operations.count_document'],
  batch: ['operations.kind_batch', 'operations.count_batch'],
  deletion: ['operations.kind_deletion', 'operations.count_deletion'],
  sync: ['operations.kind_sync', 'operations.count_sync'],
  bulk_change: ['operations.kind_bulk_change', 'operations.count_bulk_change'],
  reindex: ['operations.kind_reindex', 'operations.count_reindex'],
  reindex_all: ['operations.kind_reindex_all', 'operations.count_reindex_all'],
  question: ['operations.kind_question', 'operations.count_question'],
};
const COUNTS = [
  ['running', 'operations.count_running'],
  ['waiting', 'operations.count_waiting'],
  ['queued', 'operations.count_queued'],
  ['paused', 'operations.count_paused'],
];
const STAGES = {
  parse: 'stage.parse',
  chunk: 'stage.chunk',
  embed: 'stage.embed',
  index: 'stage.index',
  publish: 'stage.publish',
  plan: 'reindex.stage_plan',
  build: 'reindex.stage_build',
  verify: 'reindex.stage_verify',
  gate: 'gate.stage',
  approve: 'reindex.stage_approve',
  switch: 'reindex.stage_switch',
  soak: 'reindex.stage_soak',
  retire: 'reindex.stage_retire',
  list: 'operations.stage_list',
  compare: 'operations.stage_compare',
  confirm: 'operations.stage_confirm',
  apply: 'operations.stage_apply',
  report: 'operations.stage_report',
  change: 'operations.stage_change',
  purge: 'operations.stage_purge',
};
const keyOf = (job) => `${job.kind} ${job.id}`;

export class JobsView {
  constructor() {
    this.rows = new Rows($('ops-jobs'), () => row());
    this.older = new Rows($('ops-older'), () => row());
    this.clear();
    $('ops-more').addEventListener('click', () => this.more());
  }

  show(found) {
    $('ops-counts').replaceChildren(...found.counts.map(count));
    const waits = found.not_started;
    $('ops-not-started').hidden = !waits.documents;
    if (waits.documents) {
      bind($('ops-not-started'), 'operations.not_started', { n: waits.documents, age: () => duration(waits.oldest_seconds) });
    }
    this.rows.show(found.items, keyOf);
    this.next = found.next_cursor;
    if (!this.pages) this.cursor = found.next_cursor;
    const shown = new Set(found.items.map(keyOf));
    this.older.show(this.pages ? this.pages.filter((job) => !shown.has(keyOf(job))) : [], keyOf);
    $('ops-none').hidden = found.items.length > 0;
    $('ops-table').hidden = !found.items.length;
    $('ops-more').hidden = !this.cursor;
  }

  /** Show the jobs behind the newest ones as they are now; they stay until the view is left. */
  async more() {
    $('ops-more').disabled = true;
    try {
      const page = await call('GET', '/operations/jobs', { query: { cursor: this.cursor, limit: '50' } });
      this.pages = [...(this.pages || []), ...page.items];
      this.cursor = page.next_cursor;
      this.older.show(this.pages, keyOf);
      $('ops-more').hidden = !this.cursor;
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
    } finally {
      $('ops-more').disabled = false;
    }
  }

  clear() {
    this.rows.clear();
    this.older.clear();
    this.pages = this.cursor = null;
    $('ops-counts').replaceChildren();
  }
}

function count(each) {
  const states = COUNTS.filter(([state]) => each[state]);
  return h('li', { class: 'ops-count', data: { kind: each.kind } },
    h('span', { class: 'ops-number', text: ['app.value', { value: each.total }] }),
    h('span', { class: 'ops-name', text: KINDS[each.kind]?.[1] || ['app.value', { value: each.kind }] }),
    h('span', { class: 'help' }, ...states.map(([state, key]) => h('span', { text: [key, { n: each[state] }] }))));
}

function row() {
  const kind = h('td', {});
  const name = h('span', { class: 'ops-job-name' });
  const kb = h('a', {});
  const pill = h('span', { class: 'pill' });
  const reason = h('p', { class: 'ops-detail', hidden: true });
  const bar = h('progress', { max: '1' });
  const facts = h('span', { class: 'ops-facts' });
  const since = h('td', { class: 'ops-when' });
  const run = h('a', { target: '_blank', rel: 'noreferrer', text: 'operations.run' });
  const element = h('tr', {}, kind, h('td', { class: 'ops-what' }, name, reason), h('td', { class: 'ops-kb' }, kb), h('td', { class: 'ops-pill' }, pill),
    h('td', { class: 'ops-progress' }, bar, facts), since, h('td', {}, run));
  return {
    element,
    show(job) {
      element.dataset.state = job.state;
      element.dataset.kind = job.kind;
      bind(kind, KINDS[job.kind]?.[0] || 'app.value', { value: job.kind });
      name.textContent = job.name;
      kb.textContent = job.knowledge_base;
      kb.hidden = !job.knowledge_base;
      kb.href = job.kind === 'reindex' ? indexAddress(job.knowledge_base) : documentsAddress(job.knowledge_base);
      pill.dataset.state = job.state;
      bind(pill, STATES[job.state] || 'app.value', { value: job.state });
      reason.hidden = !job.reason && !job.waiting_for;
      if (job.reason) reason.replaceChildren(h('span', {}, job.reason));
      else if (job.waiting_for) {
        reason.replaceChildren(h('span', { text: ['operations.waits_for', { dependency: () => dependency(job.waiting_for) }] }));
      }
      progress(job, bar, facts);
      bind(since, 'app.value', { value: () => moment(job.since) });
      run.href = job.temporal_url;
      run.hidden = !job.started;
      bindAttr(run, 'aria-label', 'operations.open_run', { name: job.name || job.knowledge_base || job.id });
    },
  };
}

function progress(job, bar, facts) {
  bindAttr(bar, 'aria-label', 'operations.progress', { name: job.name || job.knowledge_base || job.id });
  if (job.total) bar.value = job.done / job.total;
  else bar.removeAttribute('value');
  bar.hidden = !job.started || job.state === 'paused' || (!job.total && job.state !== 'running');
  facts.replaceChildren(...[
    job.stage ? h('span', { text: [STAGES[job.stage] || 'app.value', { value: job.stage }] }) : null,
    job.total ? h('span', { text: ['operations.done_of', { done: job.done, total: job.total }] }) : null,
    job.rate_per_minute ? h('span', { text: ['operations.rate', { rate: job.rate_per_minute }] }) : null,
    job.eta_seconds ? h('span', { text: ['operations.left', { age: () => duration(job.eta_seconds) }] }) : null,
  ].filter(Boolean));
}
