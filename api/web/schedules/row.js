// One schedule: when it fires, what came of it, and the actions that its state allows.

import { h } from '../shared/dom.js';
import { bind, locale, t } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { documentsAddress, indexAddress, sourcesAddress } from '../shared/route.js';
import { showState } from '../documents/job.js';

export const KINDS = {
  reindex: 'schedule.reindex',
  retention: 'schedule.retention',
  sync: 'schedule.sync',
  reconcile: 'schedule.reconcile',
};

/** Where the work of each kind is seen. */
const PLACES = { reindex: indexAddress, retention: documentsAddress, sync: sourcesAddress };

const GOES_ON = ['running', 'waiting'];

/** Whether a run of the schedule has not ended. */
export const goesOn = (info) => Boolean(info.last && GOES_ON.includes(info.last.state));

/** The next time of a schedule: on the clocks that its expression is meant for, or on those of the reader. */
function nextTime({ next: [at], cron, time_zone: zone }) {
  if (!cron) return moment(at);
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short', timeZone: zone })
    .format(new Date(at));
}

function statePill(state) {
  const pill = h('span', { class: 'pill' });
  if (state === 'skipped') {
    pill.dataset.state = state;
    bind(pill, 'schedule.skipped');
  } else showState(pill, state);
  return pill;
}

const fact = (key, params) => h('span', { text: [key, params] });

/** The label beside the name: how its latest run goes, or that it is paused. */
function label(info) {
  if (goesOn(info)) return statePill(info.last.state);
  if (info.paused) return h('span', { class: 'pill', data: { state: 'paused' }, text: 'schedule.paused' });
  return info.last ? statePill(info.last.state) : h('span', { class: 'pill', text: 'schedule.never' });
}

function place({ kind, knowledge_base: kb }) {
  const address = (PLACES[kind] || documentsAddress)(kb);
  return h('span', {}, h('a', { href: address, text: ['schedule.in_kb', { kb }] }));
}

function facts(info) {
  const next = () => nextTime(info);
  return h('p', { class: 'doc-facts' },
    fact(KINDS[info.kind]),
    info.knowledge_base ? place(info) : null,
    info.managed_by ? fact('schedule.managed', { setting: info.managed_by }) : fact('schedule.by', { actor: info.actor }),
    info.paused ? null : info.next?.length ? fact('schedule.next', { time: next }) : fact('schedule.next_unknown'),
    info.last ? fact('schedule.last', { time: () => moment(info.last.started_at) }) : null,
    info.missed ? fact('schedule.missed', { n: info.missed }) : null,
    info.skipped ? fact('schedule.overlapped', { n: info.skipped }) : null);
}

/** Numbers of a job in words, where there are words for them. */
function counts(found) {
  if (found.deleted !== undefined) return fact('schedule.deleted', { n: found.deleted });
  return found.documents === undefined ? null : fact('schedule.documents', { n: found.documents });
}

const runRow = (run) =>
  h('li', {}, statePill(run.state),
    h('span', { text: ['app.value', { value: () => moment(run.started_at) }] }),
    counts(run.counts),
    run.reason ? h('span', { class: 'schedule-reason' }, run.reason) : null);

/** `act(action, info)` does what a button says, if the caller may; `runs(name)` resolves to the latest runs. */
export function scheduleRow(info, { act, mayAct, runs, isOpen }) {
  const button = (key, action, kind = 'secondary', params) =>
    h('button', { type: 'button', class: `${kind} small`, data: { action }, text: [key, params], on: { click: () => act(action, info) } });
  const waits = info.last?.state === 'waiting';
  const mayEdit = !info.managed_by;
  const list = h('ul', { class: 'schedule-runs' });
  const more = h('details', { class: 'more', open: isOpen }, h('summary', { text: 'schedule.runs' }), list);
  const load = async () => {
    const found = more.open ? await runs(info.name) : [];
    list.replaceChildren(...found.map(runRow));
    if (more.open && !found.length) list.append(h('li', { text: 'schedule.no_runs' }));
  };
  more.addEventListener('toggle', load);
  return h('li', { class: 'batch schedule', data: { name: info.name, state: info.last?.state || '' } },
    h('div', { class: 'doc-head' }, h('h2', { class: 'batch-name' }, info.name), label(info)),
    h('p', { class: 'schedule-when' }, info.when),
    facts(info),
    info.note ? h('p', { class: 'help' }, info.note) : null,
    info.last?.reason && info.last.state !== 'ready' ? h('p', { class: 'doc-reason' }, info.last.reason) : null,
    more,
    mayAct ? h('div', { class: 'schedule-buttons' },
      waits ? button('schedule.confirm', 'confirm', 'danger', { n: info.last.counts.expired || 0 }) : null,
      goesOn(info) ? (mayEdit ? button('schedule.cancel', 'cancel') : null) : button('schedule.run', 'run'),
      info.paused ? button('schedule.resume', 'resume') : button('schedule.pause', 'pause'),
      mayEdit ? button('schedule.change', 'change') : null,
      mayEdit ? button('schedule.delete', 'delete', 'quiet') : null) : null);
}

const DONE = {
  run: 'schedule.done_run',
  pause: 'schedule.done_pause',
  resume: 'schedule.done_resume',
  cancel: 'schedule.done_cancel',
  confirm: 'schedule.done_confirm',
  delete: 'schedule.done_delete',
};

/** What a button did, for screen readers. */
export const done = (action, name) => t(DONE[action], { name });
