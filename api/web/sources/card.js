// One source as a card: where it is, its newest sync, and the actions that its state allows.

import { announce, h } from '../shared/dom.js';
import { bind, bindAttr, plain, t } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { runLink, showRun } from '../shared/runs.js';
import { STATES, isOver, sentence, showState } from '../documents/job.js';

const ACTIONS = {
  preview: 'source.preview',
  run: 'source.run',
  pause: 'source.pause',
  resume: 'source.resume',
  confirm: 'source.confirm',
  cancel: 'source.cancel',
  change: 'source.change',
  remove: 'source.remove',
};

const NAMES = { added: 'source.names_added', updated: 'source.names_updated', deleted: 'source.names_deleted' };

const sum = (counts) => Object.values(counts || {}).reduce((total, count) => total + count, 0);
const fact = (key, params) => h('span', { text: [key, params] });

/** Whether a sync goes on. */
export const goesOn = (sync) => Boolean(sync && !isOver(sync.state));

/** The actions on a source in its state. */
function offered(source) {
  const sync = source.last_sync;
  if (!goesOn(sync)) return ['run', 'preview', 'change', 'remove'];
  return [
    sync.waiting_for === 'confirmation' && 'confirm',
    sync.state === 'paused' ? 'resume' : sync.waiting_for !== 'confirmation' && 'pause',
    'cancel',
  ].filter(Boolean);
}

export class SourceCard {
  /** `onAction(source, action)` when a button is pressed. */
  constructor(source, onAction) {
    Object.assign(this, { onAction, source: null, offered: null });
    this.title = h('h2', { class: 'batch-name', tabindex: '-1' });
    this.pill = h('span', { class: 'pill' });
    this.place = h('code', { class: 'origin-place' });
    this.bar = h('progress', { class: 'batch-bar', max: '1' });
    bindAttr(this.bar, 'aria-label', 'source.bar');
    this.facts = h('p', { class: 'doc-facts' });
    this.reason = h('p', { class: 'doc-reason', hidden: true });
    this.planned = h('div', { class: 'origin-planned', role: 'status' });
    this.buttons = h('span', { class: 'doc-buttons' });
    this.run = runLink();
    this.element = h('li', { class: 'batch origin', data: { id: source.id } },
      h('div', { class: 'doc-head' }, this.title, this.pill),
      this.place, this.bar, this.facts, this.reason, this.planned,
      h('div', { class: 'batch-foot' }, this.run, this.buttons));
    this.show(source);
  }

  /** Show a source as the server sent it. */
  show(source, mayControl = true) {
    const before = this.source?.last_sync?.state;
    this.source = source;
    const sync = source.last_sync;
    plain(this.title, source.name);
    plain(this.place, source.location || '');
    this.place.hidden = !source.location;
    this.pill.hidden = !sync;
    showRun(this.run, sync?.workflow_id);
    this.element.dataset.state = sync?.state || '';
    if (sync) showState(this.pill, sync.state);
    this.bar.hidden = !goesOn(sync);
    if (sync?.total) this.bar.value = sync.done / sync.total;
    else this.bar.removeAttribute('value');
    this.showFacts();
    this.showReason();
    this.offer(mayControl);
    if (before && sync && before !== sync.state && STATES[sync.state]) {
      announce(t('source.announce', { name: source.name, text: t(STATES[sync.state]) }));
    }
  }

  showFacts() {
    const { source } = this;
    const sync = source.last_sync;
    const applied = sync?.applied || {};
    const report = sync?.report;
    this.facts.replaceChildren(...[
      fact('source.documents', { n: source.documents }),
      source.exclude.length && fact('source.excludes', { what: source.exclude.join(', ') }),
      !sync && fact('source.never'),
      sync && fact('source.synced', { when: () => moment(sync.finished_at || sync.updated_at) }),
      sync && fact('source.by', { actor: sync.actor }),
      goesOn(sync) && sync.total > 0 && fact('source.progress', { done: sync.done, total: sync.total }),
      sync && isOver(sync.state) && sum(applied) > 0 && fact('source.done', {
        added: applied.added || 0, updated: applied.updated || 0, deleted: applied.deleted || 0,
      }),
      applied.missed > 0 && fact('source.missed', { n: applied.missed }),
      report?.conflicts > 0 && fact('source.conflicts', { n: report.conflicts }),
      sum(report?.left_out) > 0 && fact('source.left_out', { n: sum(report.left_out) }),
    ].filter(Boolean));
  }

  showReason() {
    const sync = this.source.last_sync;
    const why = sentence(sync?.reason);
    this.reason.hidden = !why && !(sync?.state === 'waiting');
    this.reason.replaceChildren();
    if (sync?.waiting_for === 'source') this.reason.append(h('strong', { text: 'source.waits' }), ' ');
    if (sync?.waiting_for === 'room') this.reason.append(h('span', { text: 'source.waits_room' }));
    if (why) this.reason.append(h('span', {}, why));
  }

  /** Show a preview under way or its result; null shows none. */
  showPreview(sync) {
    if (!sync) this.planned.replaceChildren();
    else if (!isOver(sync.state)) {
      if (this.planned.childElementCount !== 1) this.planned.replaceChildren(h('p', { text: 'source.previewing' }));
    } else if (!sync.report) this.planned.replaceChildren(h('p', { class: 'problem' }, sentence(sync.reason)));
    else {
      const { added, updated, deleted, unchanged, guarded, names } = sync.report;
      this.planned.replaceChildren(h('p', {},
        h('span', { text: ['source.plan', { added, updated, deleted, unchanged }] }),
        guarded ? ' ' : null, guarded ? h('span', { text: 'source.asks' }) : null));
      for (const [kind, key] of Object.entries(NAMES)) {
        if (names[kind]?.length) {
          this.planned.append(h('p', { class: 'help', text: [key, { names: names[kind].join(' · ') }] }));
        }
      }
    }
  }

  /** Show the buttons of the actions that the state allows. */
  offer(mayControl) {
    const wanted = mayControl ? offered(this.source) : [];
    if (wanted.join() === this.offered) return;
    this.offered = wanted.join();
    const hadFocus = this.buttons.contains(document.activeElement);
    this.buttons.replaceChildren(...wanted.map((action) => {
      const button = h('button', {
        type: 'button', class: action === 'confirm' ? 'primary' : 'secondary', data: { action },
        on: { click: () => this.onAction(this.source, action) },
      });
      bind(button, ACTIONS[action]);
      return button;
    }));
    if (hadFocus) (this.buttons.firstElementChild || this.title).focus();
  }

  /** Disable the buttons while a request is in flight. */
  act(isActing) {
    for (const button of this.buttons.children) button.disabled = isActing;
  }
}
