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
  /**
   * `onMoved()`: documents have changed; `onShow({id, name, state})`: show the documents of a batch in that state;
   * `onSending()`: an upload has moved. Uploads go on while another knowledge base is shown.
   */
  constructor({ onMoved, onShow, onSending }) {
    Object.assign(this, { onMoved, onShow, onSending, kb: null, opened: 0 });
    this.cards = new Set();
    this.sending = new Set(); // cards whose upload goes on or has left files, of all knowledge bases
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
    for (const card of this.sending) {
      if (card.upload.kb !== kb) continue;
      this.cards.add(card);
      $('batches').prepend(card.element);
      card.refresh();
      if (card.id && card.watched) this.watcher.watch(card.id);
    }
    await this.look();
  }

  close() {
    this.opened += 1;
    this.watcher?.close();
    clearInterval(this.timer);
    this.cards.clear();
    $('batches').replaceChildren();
    this.kb = null;
  }

  /** Stop all uploads: the person has signed out. */
  stop() {
    for (const card of this.sending) card.upload.cancel();
    this.sending.clear();
    this.onSending();
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
    this.sending.delete(card);
    this.onSending();
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
    const { kb } = this;
    const isShown = () => this.kb === kb;
    card.upload = new BatchUpload(kb, name, files, {
      onChange: () => {
        card.refresh();
        this.onSending();
      },
      onAccepted: (documents) => {
        if (!card.watched && documents.some(({ unchanged }) => !unchanged)) {
          card.watched = true;
          if (isShown()) this.watcher.watch(card.id);
        }
        if (isShown()) this.onMoved();
      },
    });
    this.sending.add(card);
    card.refresh();
    await card.upload.run();
    if (!card.upload.left.length) this.sending.delete(card);
    this.onSending();
    announce(t('batch.sent', { name, n: card.upload.accepted }));
    card.refresh();
    if (!isShown()) return;
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
