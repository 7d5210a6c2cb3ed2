// One re-index as a card: stages, progress, report and the actions that its state allows.

import { announce, h } from '../shared/dom.js';
import { bind, t } from '../shared/i18n.js';
import { duration, moment } from '../shared/format.js';
import { runLink, showRun } from '../shared/runs.js';
import { STATES, isOver, showReason, showState } from '../documents/job.js';
import { gateReport } from './gate.js';
import { cutting, planned } from './plan.js';

const STAGES = {
  plan: 'reindex.stage_plan',
  build: 'reindex.stage_build',
  verify: 'reindex.stage_verify',
  gate: 'gate.stage',
  approve: 'reindex.stage_approve',
  switch: 'reindex.stage_switch',
  soak: 'reindex.stage_soak',
  retire: 'reindex.stage_retire',
};

const BUILT_IN = ['', 'plan', 'build']; // stages in which its speed matters
const AFTER_SWITCH = ['switch', 'soak', 'retire'];
const MAX_PARALLELISM = 64;

const whole = (input, max) => Math.min(max, Math.max(1, Math.round(Number(input.value)) || 1));
const numberInput = (max) => h('input', { type: 'number', min: '1', max: String(max), step: '1', inputmode: 'numeric' });

/** Whether its index is in use and the old one is kept. */
export const isKept = (info) => info.stage === 'soak' && !isOver(info.state);

/** The text of a state that a job of another kind does not have; undefined for the others. */
function ownState(info) {
  if (isKept(info)) return 'reindex.live';
  return info.rolled_back_at ? 'reindex.rolled_back' : undefined;
}

/** State and, while it runs, stage in words. */
function spoken(info) {
  if (ownState(info)) return t(ownState(info));
  const state = STATES[info.state] ? t(STATES[info.state]) : info.state;
  return isOver(info.state) || !STAGES[info.stage] ? state : `${t(STAGES[info.stage])} · ${state}`;
}

/** The coloured label of a re-index. */
function showPill(pill, info) {
  showState(pill, isKept(info) ? 'ready' : info.state);
  if (ownState(info)) bind(pill, ownState(info));
}

const titleOf = (info) =>
  [info.plan_only ? 'reindex.name_plan' : 'reindex.name', { when: () => moment(info.created_at) }];

const fact = (key, params) => h('span', { text: [key, params] });

/** A former re-index or plan as a row of the list. */
export function formerRow(info) {
  const pill = h('span', { class: 'pill' });
  showPill(pill, info);
  const reason = h('p', { class: 'doc-reason', hidden: true });
  showReason(reason, info);
  return h('li', { class: 'doc former', data: { id: info.id, state: info.state } },
    h('div', { class: 'doc-head' }, h('span', { class: 'doc-name', text: titleOf(info) })), pill,
    h('p', { class: 'doc-facts' },
      h('span', { text: cutting(info.chunking) }),
      info.embedding_model ? h('span', {}, info.embedding_model) : null,
      !info.plan_only && info.total !== null ? fact('reindex.done', { done: info.done, total: info.total }) : null,
      fact('reindex.by', { actor: info.actor }),
      info.approved_by ? fact('reindex.approved', { actor: info.approved_by }) : null),
    reason);
}

export class ReindexCard {
  /** `actions`: {control(action), change(settings)}; `override` is a control that asks for a reason. */
  constructor(info, actions) {
    Object.assign(this, { actions, info: null, offered: null });
    this.title = h('h2', { class: 'batch-name', tabindex: '-1', text: titleOf(info) });
    this.pill = h('span', { class: 'pill' });
    this.steps = h('ol', { class: 'steps', labels: { 'aria-label': 'job.steps' } });
    this.bar = h('progress', { class: 'batch-bar', max: '1', labels: { 'aria-label': 'reindex.bar' } });
    this.facts = h('p', { class: 'doc-facts' });
    this.note = h('p', { class: 'reindex-note', hidden: true });
    this.reason = h('p', { class: 'doc-reason', hidden: true });
    this.verified = h('p', { class: 'help', hidden: true });
    this.gate = h('div', { class: 'gate-report', hidden: true });
    this.plan = h('details', { class: 'more', hidden: true }, h('summary', { text: 'reindex.estimate' }));
    this.parallelism = numberInput(MAX_PARALLELISM);
    this.throttle = numberInput(100);
    this.parallelism.addEventListener('change', () =>
      this.actions.change({ parallelism: whole(this.parallelism, MAX_PARALLELISM) }));
    this.throttle.addEventListener('change', () => this.actions.change({ throttle: whole(this.throttle, 100) / 100 }));
    this.speed = h('div', { class: 'reindex-speed' },
      h('label', { class: 'batch-at-once' }, h('span', { text: 'reindex.parallelism' }), this.parallelism),
      h('label', { class: 'batch-at-once', labels: { title: 'reindex.speed_help' } },
        h('span', { text: 'reindex.speed' }), this.throttle));
    this.buttons = h('span', { class: 'doc-buttons' });
    this.run = runLink();
    this.element = h('li', { class: 'batch reindex', data: { id: info.id } },
      h('div', { class: 'doc-head' }, this.title, this.pill),
      this.steps, this.bar, this.facts, this.note, this.reason, this.verified, this.gate, this.plan,
      h('div', { class: 'batch-foot' }, this.speed, this.run, this.buttons));
    this.show(info);
  }

  /** Show the state that the server sent. `mayControl`: whether the caller has the role for the actions. */
  show(info, mayControl = true) {
    const before = this.info && `${this.info.stage} ${this.info.state}`;
    if (before !== `${info.stage} ${info.state}`) this.asked = null;
    Object.assign(this, { info, mayControl });
    this.element.dataset.state = info.state;
    this.element.dataset.stage = info.stage;
    showPill(this.pill, info);
    showRun(this.run, info.workflow_id);
    this.showSteps();
    this.showFacts();
    showReason(this.reason, info);
    this.showGate();
    this.showPlan();
    this.offer();
    if (before && before !== `${info.stage} ${info.state}`) {
      announce(t('job.announce', { name: this.title.textContent, text: spoken(info) }));
    }
  }

  /** Show that the connection for its states is lost, or back. */
  showLink(isUp) {
    if (isUp) showReason(this.reason, this.info);
    else {
      this.reason.replaceChildren(h('span', { text: 'job.reconnecting' }));
      this.reason.hidden = false;
    }
  }

  showSteps() {
    const { info } = this;
    const stages = Object.keys(STAGES).filter((stage) =>
      (stage !== 'approve' || info.approve) && (stage !== 'gate' || info.questions));
    const at = info.state === 'ready' && info.switched_at ? stages.length : Math.max(0, stages.indexOf(info.stage));
    const key = `${at} ${stages.length}`;
    if (this.steps.dataset.key === key) return;
    this.steps.dataset.key = key;
    this.steps.dataset.count = stages.length;
    this.steps.replaceChildren(...stages.map((stage, index) => h('li', {
      data: { stage, place: index < at ? 'done' : index === at ? 'now' : 'next' },
      'aria-current': index === at ? 'step' : null,
    }, h('span', { class: 'step-name', text: STAGES[stage] }))));
  }

  showFacts() {
    const { info } = this;
    const builds = info.stage === 'build' && !isOver(info.state);
    this.steps.hidden = isOver(info.state);
    const compares = info.stage === 'gate' && info.state === 'running';
    this.bar.hidden = isOver(info.state) || !(BUILT_IN.includes(info.stage) || compares);
    if (info.stage === 'plan' || !info.total) this.bar.removeAttribute('value');
    else this.bar.value = info.done / info.total;
    this.facts.replaceChildren(...[
      info.total !== null && fact(info.stage === 'gate' ? 'gate.done' : 'reindex.done', { done: info.done, total: info.total }),
      builds && info.rate_per_minute > 0 && fact('batch.rate', { n: Math.max(1, Math.round(info.rate_per_minute)) }),
      info.eta_seconds > 0 && fact('job.eta', { time: () => duration(info.eta_seconds) }),
      h('span', { text: cutting(info.chunking) }),
      info.embedding_model && h('span', {}, info.embedding_model),
      builds && info.window && fact('reindex.window', { window: info.window }),
      fact('reindex.by', { actor: info.actor }),
      info.approved_by && fact('reindex.approved', { actor: info.approved_by }),
    ].filter(Boolean));
    this.showNote();
    this.verified.hidden = !info.verified;
    if (info.verified) {
      const { documents, rows, searched, lost } = info.verified;
      bind(this.verified, 'reindex.verified', { documents, rows, searched, found: searched - lost });
    }
  }

  /** Show what was asked of it, what it waits for, or how long the old index is kept. */
  showNote() {
    const { info } = this;
    const until = () => moment(new Date(info.switched_at || info.updated_at).getTime() / 1000 + info.soak_seconds);
    const text = this.asked ? [ASKED[this.asked]]
      : isKept(info) ? ['reindex.kept', { time: until }]
        : this.awaitsApproval ? ['reindex.waits', { actor: info.actor }] : null;
    this.note.hidden = !text;
    if (text) bind(this.note, ...text);
  }

  /** The server has accepted an action; a state that shows it follows. */
  accepted(action) {
    this.asked = ASKED[action] ? action : null;
    this.showNote();
    if (this.asked) announce(t(ASKED[action]));
  }

  get awaitsApproval() {
    return this.info.stage === 'approve' && this.info.state === 'waiting';
  }

  get awaitsOverride() {
    return this.info.stage === 'gate' && this.info.state === 'waiting';
  }

  /** The comparison of both indexes, once it is complete. */
  showGate() {
    const { gate } = this.info;
    const report = gate ? gateReport(gate) : [];
    const key = JSON.stringify(gate);
    this.gate.hidden = !report.length;
    if (this.gate.dataset.key === key) return;
    this.gate.dataset.key = key;
    this.gate.replaceChildren(...report);
  }

  /** The plan's facts: behind a heading, but for a plan that found nothing to do. */
  showPlan() {
    const { plan } = this.info;
    this.plan.hidden = !plan;
    if (!plan || this.plan.children.length > 1) return;
    this.plan.append(...planned(plan));
    this.plan.open = this.info.state === 'ready' && !this.info.switched_at;
  }

  /** Show the buttons of the actions that the state allows, and the speed while it is built. */
  offer() {
    const { info } = this;
    const before = !isOver(info.state) && !AFTER_SWITCH.includes(info.stage);
    const wanted = !this.mayControl ? [] : [
      this.awaitsApproval && 'approve',
      this.awaitsOverride && 'override',
      before && ['queued', 'running'].includes(info.state) && 'pause',
      before && info.state === 'paused' && 'resume',
      before && 'cancel',
      isKept(info) && 'rollback',
      isKept(info) && 'finish',
    ].filter(Boolean);
    this.speed.hidden = !this.mayControl || !before || !BUILT_IN.includes(info.stage);
    if (document.activeElement !== this.parallelism) this.parallelism.value = info.parallelism;
    if (document.activeElement !== this.throttle) this.throttle.value = Math.round(info.throttle * 100);
    if (wanted.join() === this.offered) return;
    this.offered = wanted.join();
    const hadFocus = this.buttons.contains(document.activeElement) || (this.pressed && document.activeElement === document.body);
    this.buttons.replaceChildren(...wanted.map((action) => h('button', {
      type: 'button', class: action === 'approve' ? 'primary' : 'secondary', data: { action }, text: ACTIONS[action],
      on: { click: () => this.actions.control(action) },
    })));
    if (hadFocus) (this.buttons.firstElementChild || this.title).focus();
  }

  /** Disable the buttons while a request is in flight; the pressed one gets the focus back. */
  act(isActing) {
    if (isActing) this.pressed = [...this.buttons.children].find((button) => button === document.activeElement);
    for (const button of this.buttons.children) button.disabled = isActing;
    if (!isActing && this.pressed?.isConnected && document.activeElement === document.body) this.pressed.focus();
    if (!isActing) this.pressed = null;
  }
}

const ACTIONS = {
  pause: 'reindex.pause',
  resume: 'reindex.resume',
  cancel: 'reindex.cancel',
  approve: 'reindex.approve',
  override: 'gate.override',
  rollback: 'reindex.rollback',
  finish: 'reindex.finish',
};

const ASKED = {
  pause: 'reindex.asked_pause',
  cancel: 'reindex.asked_cancel',
  override: 'gate.asked_override',
  rollback: 'reindex.asked_rollback',
  finish: 'reindex.asked_finish',
};
