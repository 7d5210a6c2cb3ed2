// Changes of many documents: confirmed with their number, asked for, and followed to their end as cards.

import { call } from '../shared/api.js';
import { askForText, confirmAction } from '../shared/dialogs.js';
import { $, announce, h, notify } from '../shared/dom.js';
import { bind, bindAttr, t } from '../shared/i18n.js';
import { isOver, showState } from './job.js';

const POLL_MS = 1000;
const LISTED = 5;
const LATELY_MS = 15 * 60_000; // failures of one that ended longer ago are not shown
const SHOWN_FAILURES = 5;

const TITLES = { delete: 'bulk.title_delete', retry: 'bulk.title_retry', tag: 'bulk.title_tag', untag: 'bulk.title_untag' };
const DONE = { delete: 'bulk.done_delete', retry: 'bulk.done_retry', tag: 'bulk.done_tag', untag: 'bulk.done_untag' };

class BulkCard {
  constructor(onDismiss, onCancel) {
    this.title = h('h3', { class: 'batch-name' });
    this.pill = h('span', { class: 'pill' });
    this.bar = h('progress', { class: 'batch-bar', max: '1', labels: { 'aria-label': 'bulk.bar' } });
    this.facts = h('p', { class: 'doc-facts' });
    this.failures = h('ul', { class: 'bulk-failures', hidden: true });
    this.dismiss = h('button', { type: 'button', class: 'quiet small', text: 'upload.dismiss', on: { click: onDismiss } });
    this.cancel = h('button', { type: 'button', class: 'quiet small', text: 'documents.cancel', on: { click: onCancel } });
    this.element = h('li', { class: 'batch bulk' },
      h('div', { class: 'doc-head' }, this.title, this.pill, this.cancel, this.dismiss), this.bar, this.facts, this.failures);
  }

  show(info) {
    const over = isOver(info.state);
    this.info = info;
    this.element.dataset.state = info.state;
    this.element.dataset.id = info.id;
    bind(this.title, TITLES[info.action], { n: info.total, tag: info.tag || '' });
    showState(this.pill, info.state);
    if (info.state === 'ready') bind(this.pill, 'bulk.done');
    this.bar.hidden = over;
    this.dismiss.hidden = !over;
    this.cancel.hidden = over || info.stage === 'purge';
    bindAttr(this.cancel, 'aria-label', 'bulk.cancel_named', { name: () => this.title.textContent });
    if (info.total) this.bar.value = info.done / info.total;
    const fact = (key, params) => h('span', { text: [key, params] });
    this.facts.replaceChildren(...[
      !over && info.stage !== 'purge' && fact('bulk.progress', { done: info.done, total: info.total }),
      !over && info.stage === 'purge' && fact('bulk.purging'),
      (over || info.stage === 'purge') && fact(DONE[info.action], { n: info.changed, tag: info.tag || '' }),
      info.unchanged > 0 && fact('bulk.unchanged', { n: info.unchanged }),
      info.failed > 0 && h('strong', { class: 'bad', text: ['bulk.failed', { n: info.failed }] }),
      info.canceled_by && fact('bulk.canceled_by', { actor: info.canceled_by }),
      fact('reindex.by', { actor: info.actor }),
    ].filter(Boolean));
    const told = info.failures.slice(0, SHOWN_FAILURES);
    this.failures.replaceChildren(
      ...told.map(({ name, reason }) => h('li', {}, name ? `${name}: ${reason}` : reason)),
      ...(info.failed > told.length ? [h('li', { text: ['bulk.more_failures', { n: info.failed - told.length }] })] : []));
    this.failures.hidden = !told.length;
  }
}

export class BulkChanges {
  /** `onMoved(info)` while a change goes on and at its end. */
  constructor({ onMoved }) {
    Object.assign(this, { onMoved, kb: null, visit: 0 });
    this.cards = new Map();
    this.dismissed = new Set();
  }

  async open(kb) {
    this.close();
    this.kb = kb;
    await this.look();
  }

  close() {
    this.visit += 1;
    clearTimeout(this.timer);
    this.kb = null;
    this.cards.clear();
    $('bulk').replaceChildren();
  }

  get path() {
    return `/knowledge-bases/${encodeURIComponent(this.kb)}/documents/bulk`;
  }

  /** Load the newest changes, and go on while one is under way. */
  async look() {
    const visit = this.visit;
    clearTimeout(this.timer);
    const page = await call('GET', this.path, { query: { limit: String(LISTED) } }).catch(() => null);
    if (visit !== this.visit) return;
    for (const info of (page?.items || []).reverse()) {
      const lately = Date.now() - new Date(info.finished_at || info.updated_at).getTime() < LATELY_MS;
      const isTold = !isOver(info.state) || (lately && info.failed > 0);
      if (!this.dismissed.has(info.id) && (this.cards.has(info.id) || isTold)) this.show(info);
    }
    const isActive = [...this.cards.values()].some((card) => !isOver(card.info.state));
    if (isActive || !page) this.timer = setTimeout(() => this.look(), POLL_MS * (page ? 1 : 5));
  }

  show(info) {
    let card = this.cards.get(info.id);
    if (!card) {
      card = new BulkCard(() => {
        this.drop(info.id);
        $('docs-search').focus();
      }, () => this.cancel(info.id));
      this.cards.set(info.id, card);
      $('bulk').prepend(card.element);
    }
    const before = card.info;
    card.show(info);
    if (!before) return;
    if (isOver(info.state) && !isOver(before.state)) {
      announce(t('job.announce', { name: card.title.textContent, text: card.facts.textContent }));
    }
    if (before.done !== info.done || before.stage !== info.stage || before.state !== info.state) this.onMoved(info, before);
  }

  /** End a change before its next documents, once that is confirmed. */
  async cancel(id) {
    const sure = await confirmAction('bulk.cancel_title', 'bulk.cancel_text', 'bulk.cancel_yes', 'reindex.go_on');
    if (!sure) return;
    try {
      this.show(await call('POST', `/bulk-changes/${id}/cancel`));
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
    }
  }

  drop(id) {
    this.dismissed.add(id);
    this.cards.get(id).element.remove();
    this.cards.delete(id);
  }

  /** Ask and start an action on `n` documents: `ids` or those that match `filter`. Returns whether it was started. */
  async start(action, n, target) {
    const visit = this.visit;
    const tag = await confirmed(action, n);
    if (tag === null || visit !== this.visit) return false;
    const expected = target.filter ? { expected: n } : {};
    let made;
    try {
      made = await call('POST', this.path, { body: { action, ...target, ...expected, ...(tag && { tag }) } });
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
      return false;
    }
    if (visit !== this.visit) return true;
    for (const { info } of this.cards.values()) if (isOver(info.state) && !info.failed) this.drop(info.id);
    this.show(await call('GET', made.status_url));
    this.look();
    return true;
  }
}

/** Ask for what is needed: the tag, or '' after a confirmation; null if it was canceled. */
async function confirmed(action, n) {
  if (action === 'tag' || action === 'untag') {
    const title = action === 'tag' ? 'bulk.tag_title' : 'bulk.untag_title';
    const tag = await askForText([title, { n }], 'bulk.tag_label', '', { maxLength: 64 });
    return tag || null;
  }
  const texts = {
    delete: ['bulk.delete_title', 'bulk.delete_text', 'dialog.delete', 'dialog.keep_all'],
    retry: ['bulk.retry_title', 'bulk.retry_text', 'documents.retry', 'dialog.cancel'],
  }[action];
  return (await confirmAction([texts[0], { n }], [texts[1], { n }], texts[2], texts[3])) ? '' : null;
}

