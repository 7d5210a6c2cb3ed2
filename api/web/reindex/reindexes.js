// The index panel: how documents are cut, the newest re-index, the form for another one, and former ones.

import { call } from '../shared/api.js';
import { askForText, confirmAction } from '../shared/dialogs.js';
import { $, announce, h, notify } from '../shared/dom.js';
import { bind, t } from '../shared/i18n.js';
import { follow } from '../shared/sse.js';
import { isOver } from '../documents/job.js';
import { ReindexCard, formerRow, isKept } from './card.js';
import { ReindexForm } from './form.js';

const PAGE = 20;
const MAX_REASON = 500;
const CONFIRMED = {
  cancel: ['reindex.cancel_title', 'reindex.cancel_text', 'reindex.cancel_yes', 'reindex.go_on'],
  rollback: ['reindex.rollback_title', 'reindex.rollback_text', 'reindex.rollback', 'reindex.keep_new'],
  finish: ['reindex.finish_title', 'reindex.finish_text', 'reindex.finish', 'reindex.keep_old'],
};

const path = (id) => `/reindexes/${encodeURIComponent(id)}`;

export class Reindexes {
  /** `onSwitched()` when another index is in use: documents have other passages. */
  constructor({ onSwitched }) {
    Object.assign(this, { onSwitched, kb: null, opened: 0, card: null, chunking: null });
    this.form = new ReindexForm({
      onPlan: (request) => this.ask('reindex-plan', request),
      onStart: (request) => this.ask('reindex', request),
    });
    $('reindex-older').addEventListener('click', () => this.older());
    document.addEventListener('visibilitychange', () => {
      if (!this.kb) return;
      if (document.hidden) this.link?.abort();
      else this.load();
    });
  }

  get base() {
    return `/knowledge-bases/${encodeURIComponent(this.kb)}`;
  }

  /** `query`: what the address says of the form for another index, such as {max, overlap}. */
  async open(kb, query) {
    if (this.kb === kb) {
      this.form.fill(query);
      return;
    }
    this.close();
    this.kb = kb;
    this.asked = query;
    await this.load();
  }

  close() {
    this.opened += 1;
    this.link?.abort();
    Object.assign(this, { kb: null, card: null, chunking: null, denied: null, asked: null });
    for (const id of ['reindex-now', 'reindex-list', 'reindex-denied']) $(id).replaceChildren();
    for (const id of ['reindex-form', 'reindex-former', 'reindex-older', 'reindex-denied', 'index-cut']) $(id).hidden = true;
  }

  /** Reload the server's sentences in the current language. */
  relanguage() {
    if (this.kb) this.load();
  }

  /** Load the chunking and the newest re-indexes; follow the one that has not ended. */
  async load() {
    const visit = (this.opened += 1);
    this.link?.abort();
    try {
      const [kb, models, page] = await Promise.all([
        call('GET', this.base),
        call('GET', '/embedding-models').catch(() => ({ items: [] })),
        call('GET', `${this.base}/reindexes`, { query: { limit: String(PAGE) } }),
      ]);
      if (visit !== this.opened) return;
      this.showCut(kb.chunking);
      this.form.offerModels(models.items.map((model) => model.name), kb.embedding_model);
      this.list(page);
      if (this.asked) this.form.fill(this.asked);
      this.asked = null;
    } catch (problem) {
      if (visit === this.opened && problem.status !== 401) notify(problem);
    }
  }

  showCut(chunking) {
    const { max_tokens: max, overlap_tokens: overlap } = chunking;
    bind($('index-cut'), overlap ? 'reindex.cut' : 'reindex.cut_apart', { max, overlap });
    $('index-cut').hidden = false;
    const isNew = !this.chunking || this.chunking.max_tokens !== max || this.chunking.overlap_tokens !== overlap;
    if (isNew) this.form.reset(chunking);
    this.chunking = chunking;
  }

  /** Show the newest plan in the form, the newest re-index as a card, and the others as rows. */
  list({ items, next_cursor: cursor }) {
    const plan = items[0]?.plan_only ? items[0] : null;
    const newest = items.find((info) => !info.plan_only);
    this.cursor = cursor;
    this.form.showPlan(plan);
    if (newest) this.show(newest);
    $('reindex-list').replaceChildren(...items.filter((info) => info !== plan && info !== newest).map(formerRow));
    this.showFormer();
    this.offer(newest, plan);
    const active = [newest, plan].find((info) => info && !isOver(info.state));
    if (active) this.follow(active.id);
  }

  showFormer() {
    $('reindex-former').hidden = !$('reindex-list').childElementCount;
    $('reindex-older').hidden = !this.cursor;
  }

  show(info) {
    if (this.card?.info.id !== info.id) {
      this.card = new ReindexCard(info, {
        control: (action) => this.control(info.id, action),
        change: (settings) => this.send(info.id, 'control', settings),
      });
      $('reindex-now').replaceChildren(this.card.element);
    }
    this.card.show(info, !this.denied);
  }

  /** Show the form unless a re-index goes on or the caller may not start one. */
  offer(newest, plan) {
    $('reindex-form').hidden = Boolean(this.denied || (newest && !isOver(newest.state)));
    this.form.busy(Boolean(plan && !isOver(plan.state)));
  }

  /** Follow a plan or a re-index until it ends; then the whole panel is loaded again. */
  async follow(id) {
    const link = new AbortController();
    this.link = link;
    try {
      await follow(`${path(id)}/events`, {
        signal: link.signal,
        onLink: (isUp) => this.card?.info.id === id && this.card.showLink(isUp),
        onEvent: ({ event, data }) => event === 'state' && this.moved(data),
      });
    } catch (problem) {
      if (!link.signal.aborted && problem.status !== 401) notify(problem);
      return;
    }
    if (!link.signal.aborted) await this.load();
  }

  /** Show a state; returns whether it is the last one. */
  moved(info) {
    const before = this.card?.info;
    if (info.plan_only) {
      this.form.showPlan(info);
      this.offer(before, info);
    } else {
      this.show(info);
      const switched = before?.id === info.id && isKept(before) !== isKept(info);
      if (switched) this.switched();
    }
    return isOver(info.state);
  }

  /** Another index is in use: the chunking and the documents' passages have changed. */
  async switched() {
    const visit = this.opened;
    this.onSwitched();
    const kb = await call('GET', this.base).catch(() => null);
    if (kb && visit === this.opened) this.showCut(kb.chunking);
  }

  /** Plan or start. */
  async ask(what, request) {
    const visit = this.opened;
    this.form.complain(null);
    this.form.busy(true);
    try {
      await call('POST', `${this.base}/${what}`, { body: request });
      if (visit !== this.opened) return;
      if (what === 'reindex') {
        announce(t('reindex.started'));
        this.form.reset(this.chunking);
        $('index-title').focus();
      }
      await this.load();
    } catch (problem) {
      if (visit !== this.opened || problem.status === 401) return;
      this.form.busy(false);
      if (problem.status === 403) this.deny(problem);
      else this.form.complain(problem);
      if (problem.status === 409) await this.load();
    }
  }

  /** Hide what the caller's role does not allow, and say so. */
  deny(problem) {
    this.denied = problem;
    $('reindex-denied').replaceChildren(problem.say(), ' ', h('span', { text: 'reindex.denied_help' }));
    $('reindex-denied').hidden = false;
    $('reindex-form').hidden = true;
    if (this.card) this.card.show(this.card.info, false);
    $('index-title').focus();
  }

  async control(id, action) {
    if (CONFIRMED[action]) {
      const [title, text, yes, no] = CONFIRMED[action];
      const visit = this.opened;
      if (!(await confirmAction(title, [text, { kb: this.kb }], yes, no)) || visit !== this.opened) return;
    }
    if (action !== 'override') return this.send(id, action);
    const visit = this.opened;
    const reason = await askForText('gate.override_title', 'gate.override_reason', '', { maxLength: MAX_REASON });
    return reason && visit === this.opened ? this.send(id, action, { reason }) : undefined;
  }

  /** Send a control; the state arrives as an event. */
  async send(id, action, body) {
    const { card, opened: visit } = this;
    const { stage, state } = card.info;
    card.act(true);
    try {
      await call('POST', `${path(id)}/${action}`, { body });
      if (card.info.stage === stage && card.info.state === state) card.accepted(action);
    } catch (problem) {
      if (visit !== this.opened || problem.status === 401) return;
      if (problem.status === 403) this.deny(problem);
      else notify(problem);
    } finally {
      card.act(false);
    }
  }

  /** Load the next page of former ones. */
  async older() {
    const visit = this.opened;
    $('reindex-older').disabled = true;
    try {
      const query = { limit: String(PAGE), cursor: this.cursor };
      const page = await call('GET', `${this.base}/reindexes`, { query });
      if (visit !== this.opened) return;
      this.cursor = page.next_cursor;
      $('reindex-list').append(...page.items.map(formerRow));
      this.showFormer();
    } catch (problem) {
      if (visit === this.opened && problem.status !== 401) notify(problem);
    } finally {
      $('reindex-older').disabled = false;
    }
  }
}
