// The batches above the documents: running, recently finished, and being uploaded.

import { call } from '../shared/api.js';
import { $, announce, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { BatchCard } from './batch_card.js';
import { BatchUpload } from './batch_upload.js';
import { isOver } from './job.js';
import { Watcher } from './watcher.js';

const LISTED = 10;
const LATELY_MS = 15 * 60_000; // a batch that ended longer ago is not shown
const LOOK_MS = 15_000; // interval of polls for batches of other users
const ENDED_AT_MOST = 3;

export class Batches {
  /** `onMoved()`: documents have changed; `onShow({id, name, state})`: show the documents of a batch in that state. */
  constructor({ onMoved, onShow }) {
    Object.assign(this, { onMoved, onShow, kb: null, opened: 0 });
    this.cards = new Set();
    this.dismissed = new Set();
    this.actions = {
      control: (card, action) => this.control(card, action),
      parallelism: (card, n) => this.control(card, 'set-parallelism', { parallelism: n }),
      show: (card, state) => this.onShow({ id: card.id, name: card.name, state }),
      again: (card) => {
        this.upload(card.upload.left, card.name);
        this.drop(card);
      },
      stop: (card) => card.upload.cancel(),
      dismiss: (card) => {
        this.dismissed.add(card.id);
        this.drop(card);
        $('pick').focus();
      },
    };
  }

  get active() {
    return [...this.cards].some((card) => card.isUploading || (card.info && !isOver(card.state)));
  }

  async open(kb) {
    this.close();
    this.kb = kb;
    this.watcher = new Watcher({
      onState: (id, info) => this.show(info),
      onLink: (id, isUp) => this.card(id)?.showLink(isUp),
      onLost: (id, problem) => problem.status === 404 && this.lost(id),
    });
    this.timer = setInterval(() => document.hidden || this.look(), LOOK_MS);
    await this.look();
  }

  close() {
    this.opened += 1;
    this.watcher?.close();
    clearInterval(this.timer);
    for (const card of this.cards) card.upload?.cancel();
    this.cards.clear();
    $('batches').replaceChildren();
    this.kb = null;
  }

  pause() {
    this.watcher?.pause();
  }

  resume() {
    this.watcher?.resume();
  }

  /** Load the batches from the server: at the start, at intervals, and after a language switch. */
  async look() {
    const visit = this.opened;
    const path = `/knowledge-bases/${encodeURIComponent(this.kb)}/batches`;
    const page = await call('GET', path, { query: { limit: String(LISTED) } }).catch(() => null);
    if (!page || visit !== this.opened) return;
    let ended = 0;
    for (const info of page.items.filter(({ id }) => !this.dismissed.has(id))) {
      const over = isOver(info.state);
      const lately = Date.now() - new Date(info.finished_at || info.updated_at).getTime() < LATELY_MS;
      if (this.card(info.id) || !over || (lately && (ended += 1) <= ENDED_AT_MOST)) this.show(info, true);
    }
  }

  card(id) {
    return [...this.cards].find((card) => card.id === id);
  }

  /** Show a batch's state, in a new card if there is none. `isListed`: newest first, so a new card goes last. */
  show(info, isListed = false) {
    let card = this.card(info.id);
    if (!card) {
      card = this.add(info.name);
      if (isListed) this.place(card, info);
    }
    const moved = card.info?.done !== info.done || card.info?.total !== info.total || card.state !== info.state;
    card.show(info);
    if (!isOver(info.state)) this.watcher.watch(info.id);
    if (moved) this.onMoved();
  }

  /** Order newest first; ids ascend with time. */
  place(card, info) {
    const older = [...this.cards].filter((other) => other !== card && other.id && other.id < info.id);
    const next = [...$('batches').children].find((element) => older.some((other) => other.element === element));
    if (next) next.before(card.element);
    else $('batches').append(card.element);
  }

  add(name) {
    const card = new BatchCard(name, this.actions);
    this.cards.add(card);
    $('batches').prepend(card.element);
    return card;
  }

  drop(card) {
    if (card.id) this.watcher?.unwatch(card.id);
    this.cards.delete(card);
    card.element.remove();
  }

  lost(id) {
    const card = this.card(id);
    if (!card) return;
    if (card.upload) { // no file was new, so the server deleted the batch
      card.info = null;
      card.refresh();
    } else this.drop(card);
  }

  /** Follow the batch in the response of an upload. */
  async join(id) {
    const visit = this.opened;
    const info = await call('GET', `/batches/${encodeURIComponent(id)}`).catch(() => null);
    if (info && visit === this.opened) this.show(info);
  }

  /** Upload files as one batch, with a card from the start. */
  async upload(files, name) {
    const card = this.add(name);
    let watched = false;
    card.upload = new BatchUpload(this.kb, name, files, {
      onChange: () => card.refresh(),
      onAccepted: (documents) => {
        if (!watched && documents.some(({ unchanged }) => !unchanged)) {
          watched = true;
          this.watcher.watch(card.id);
        }
        this.onMoved();
      },
    });
    card.refresh();
    const visit = this.opened;
    await card.upload.run();
    if (visit !== this.opened) return;
    announce(t('batch.sent', { name, n: card.upload.accepted }));
    card.refresh();
    this.onMoved();
    if (!card.info && card.upload.left.length === files.length && !card.upload.problem) this.drop(card); // stopped
  }

  async control(card, action, body) {
    card.act(true);
    try {
      await call('POST', `/batches/${encodeURIComponent(card.id)}/${action}`, { body });
      if (action === 'cancel') card.upload?.cancel();
      await this.join(card.id);
    } catch (problem) {
      notify(problem);
      if (problem.status === 409) await this.join(card.id);
    } finally {
      card.act(false);
      card.offer();
      this.onMoved();
    }
  }
}
