// The panel of sources: those that the knowledge base follows, their syncs, and the form for another one.

import { call } from '../shared/api.js';
import { confirmAction } from '../shared/dialogs.js';
import { $, announce, h, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { follow } from '../shared/sse.js';
import { isOver } from '../documents/job.js';
import { mayOperate } from '../operations/operations.js';
import { SourceCard, goesOn } from './card.js';
import { SourceForm } from './form.js';

const sourcePath = (id) => `/sources/${encodeURIComponent(id)}`;
const syncPath = (id) => `/syncs/${encodeURIComponent(id)}`;

export class Sources {
  /** `onSynced()` when a sync has changed the documents. */
  constructor({ onSynced }) {
    Object.assign(this, { onSynced, kb: null, opened: 0, cards: new Map(), links: new Map() });
    this.form = new SourceForm({ onSave: (source, fields) => this.save(source, fields) });
    $('panel-sources').append(
      h('header', { class: 'panel-head' },
        h('h1', { id: 'sources-title', tabindex: '-1', text: 'source.title' }),
        h('p', { class: 'help', text: 'source.lead' }),
        h('a', { href: '#/schedules', text: 'source.schedules' })),
      h('ul', { class: 'batches', id: 'source-list', labels: { 'aria-label': 'source.list' } }),
      h('p', { class: 'empty', id: 'sources-none', hidden: true, text: 'source.none' }),
      this.form.element);
  }

  get base() {
    return `/knowledge-bases/${encodeURIComponent(this.kb)}/sources`;
  }

  async open(kb) {
    if (this.kb === kb) return;
    this.close();
    this.kb = kb;
    await this.load();
  }

  close() {
    this.opened += 1;
    for (const link of this.links.values()) link.abort();
    this.links.clear();
    this.cards.clear();
    this.kb = null;
    $('source-list').replaceChildren();
    this.form.reset();
    this.form.element.hidden = $('sources-none').hidden = true;
  }

  /** Reload the server's sentences in the current language. */
  relanguage() {
    if (this.kb) this.load();
  }

  /** Load the sources, and follow the syncs that go on. */
  async load() {
    const visit = (this.opened += 1);
    for (const link of this.links.values()) link.abort();
    this.links.clear();
    for (const card of this.cards.values()) card.showPreview(null); // nobody follows it any more
    try {
      const [{ items }, may] = await Promise.all([call('GET', this.base), mayOperate()]);
      if (visit !== this.opened) return;
      for (const id of [...this.cards.keys()]) if (!items.some((source) => source.id === id)) this.cards.delete(id);
      for (const source of items) this.show(source);
      $('source-list').replaceChildren(...items.map((source) => this.cards.get(source.id).element));
      $('sources-none').hidden = items.length > 0;
      this.form.element.hidden = !may;
      for (const { last_sync: sync, id } of items) if (goesOn(sync)) this.follow(id, sync.id);
    } catch (problem) {
      if (visit === this.opened && problem.status !== 401) notify(problem);
    }
  }

  show(source) {
    if (!this.cards.has(source.id)) {
      this.cards.set(source.id, new SourceCard(source, (shown, action) => this.act(shown, action)));
    }
    this.cards.get(source.id).show(source, source.location !== null);
  }

  /** Follow a sync or a preview of a source until it ends. */
  async follow(sourceId, syncId) {
    const link = new AbortController();
    this.links.get(sourceId)?.abort();
    this.links.set(sourceId, link);
    try {
      await follow(`${syncPath(syncId)}/events`, {
        signal: link.signal,
        onEvent: ({ event, data }) => event === 'state' && this.moved(sourceId, data),
      });
    } catch (problem) {
      if (!link.signal.aborted && problem.status !== 401) notify(problem);
    }
  }

  /** Show a state; returns whether it is the last one. */
  moved(sourceId, sync) {
    const card = this.cards.get(sourceId);
    const over = isOver(sync.state);
    if (!card) return true;
    if (sync.preview) card.showPreview(sync);
    else this.show({ ...card.source, last_sync: sync });
    if (over && !sync.preview) {
      this.onSynced();
      this.refresh(sourceId);
    }
    return over;
  }

  /** Load one source again: a sync has changed its number of documents. */
  async refresh(id) {
    const visit = this.opened;
    const source = await call('GET', sourcePath(id)).catch(() => null);
    if (source && visit === this.opened) this.show(source);
  }

  /** Add a source, or change one; throws the server's Problem. */
  async save(source, fields) {
    const visit = this.opened;
    if (source) await call('PATCH', sourcePath(source.id), { body: fields });
    else await call('POST', this.base, { body: fields });
    if (visit !== this.opened) return;
    announce(t(source ? 'source.changed' : 'source.added'));
    this.form.reset();
    await this.load();
    $('sources-title').focus();
  }

  /** Do what a button says, after a question if it takes something away. */
  async act(source, action) {
    if (action === 'change') {
      this.form.change(source);
      return;
    }
    const visit = this.opened;
    if (!(await this.isSure(source, action)) || visit !== this.opened) return;
    const card = this.cards.get(source.id);
    card.act(true);
    try {
      if (action === 'remove') await call('DELETE', sourcePath(source.id));
      else if (action === 'run' || action === 'preview') {
        const body = { preview: action === 'preview' };
        const job = await call('POST', `${sourcePath(source.id)}/sync`, { body });
        card.showPreview(action === 'preview' ? { state: 'queued' } : null);
        if (visit === this.opened) this.follow(source.id, job.id);
        return;
      } else await call('POST', `${syncPath(source.last_sync.id)}/${action}`);
      if (action === 'remove' && visit === this.opened) {
        await this.load();
        $('sources-title').focus();
      }
    } catch (problem) {
      if (visit === this.opened && problem.status !== 401) notify(problem);
    } finally {
      card.act(false);
    }
  }

  isSure(source, action) {
    const { name, documents, last_sync: sync } = source;
    if (action === 'remove') {
      return confirmAction('source.remove_title', ['source.remove_text', { name, documents }], 'source.remove', 'source.go_on');
    }
    if (action !== 'confirm') return true;
    const params = { name, deleted: sync.report?.deleted ?? 0, documents: sync.report?.documents ?? documents };
    return confirmAction('source.confirm_title', ['source.confirm_text', params], 'source.confirm', 'source.keep');
  }
}
