// One webhook: where it leads, how it goes, what it was told lately, and the actions that its state allows.

import { h } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { documentsAddress } from '../shared/route.js';

/** Types of events: their names, and when they come. */
export const EVENTS = {
  'document.ready': ['webhook.document_ready', 'webhook.document_ready_help'],
  'document.failed': ['webhook.document_failed', 'webhook.document_failed_help'],
  'document.deleted': ['webhook.document_deleted', 'webhook.document_deleted_help'],
  'batch.finished': ['webhook.batch_finished', 'webhook.batch_finished_help'],
  'reindex.finished': ['webhook.reindex_finished', 'webhook.reindex_finished_help'],
  'sync.finished': ['webhook.sync_finished', 'webhook.sync_finished_help'],
};

const TEST = 'webhook.test_event';
const CAUSES = { user: 'webhook.cause_user', gone: 'webhook.cause_gone', failing: 'webhook.cause_failing' };

/** Deliveries: their label, and the state whose colour it has. */
const STATES = {
  pending: ['webhook.pending', 'waiting'],
  delivered: ['webhook.delivered', 'ready'],
  failed: ['webhook.failed', 'failed'],
};

const fact = (key, params) => h('span', { text: [key, params] });
const pill = (text, state) => h('span', { class: 'pill', data: { state }, text });

function label(info) {
  if (info.state === 'disabled') return pill('webhook.disabled', 'paused');
  return info.failing_since ? pill('webhook.failing', 'failed') : pill('webhook.enabled', 'ready');
}

function facts(info) {
  const names = () => info.events.map((event) => t(EVENTS[event][0])).join(t('webhook.comma'));
  const kb = info.knowledge_base;
  return h('p', { class: 'doc-facts' },
    kb ? h('span', {}, h('a', { href: documentsAddress(kb), text: ['schedule.in_kb', { kb }] })) : fact('webhook.all'),
    info.events.length ? fact('app.value', { value: names }) : fact('webhook.all_events'),
    info.each_document ? fact('webhook.each_shown') : null,
    fact('schedule.by', { actor: info.created_by }),
    info.failing_since ? fact('webhook.since', { time: () => moment(info.failing_since) }) : null,
    info.previous_secret_until ? fact('webhook.previous', { time: () => moment(info.previous_secret_until) }) : null);
}

const deliveryRow = (delivery, again) => {
  const [text, state] = STATES[delivery.state];
  return h('li', { data: { state: delivery.state } }, pill(text, state),
    fact((EVENTS[delivery.type] || [TEST])[0]),
    fact('app.value', { value: () => moment(delivery.created_at) }),
    delivery.attempts ? fact('webhook.attempts', { n: delivery.attempts }) : null,
    delivery.status_code ? fact('webhook.status', { status: delivery.status_code }) : null,
    delivery.next_attempt_at ? fact('webhook.next', { time: () => moment(delivery.next_attempt_at) }) : null,
    delivery.reason ? h('span', { class: 'schedule-reason' }, delivery.reason) : null,
    again ? h('button', { type: 'button', class: 'quiet small', text: 'webhook.again', on: { click: () => again(delivery) } }) : null);
};

/** `act(action, info)` does what a button says, `again(delivery)` sends it again; `deliveries(id)` resolves to the latest. */
export function webhookRow(info, { act, deliveries, again, isOpen }) {
  const button = (key, action, kind = 'secondary') =>
    h('button', { type: 'button', class: `${kind} small`, data: { action }, text: key, on: { click: () => act(action, info) } });
  const isOn = info.state === 'enabled';
  const list = h('ul', { class: 'schedule-runs' });
  const more = h('details', { class: 'more', open: isOpen }, h('summary', { text: 'webhook.deliveries' }), list);
  const load = async () => {
    const found = more.open ? await deliveries(info.id) : [];
    list.replaceChildren(...found.map((delivery) => deliveryRow(delivery, isOn ? again : null)));
    if (more.open && !found.length) list.append(h('li', { text: 'webhook.no_deliveries' }));
  };
  more.addEventListener('toggle', load);
  return h('li', { class: 'batch schedule webhook', data: { id: info.id, state: info.state } },
    h('div', { class: 'doc-head' }, h('h2', { class: 'batch-name' }, info.url), label(info)),
    info.description ? h('p', { class: 'help' }, info.description) : null,
    facts(info),
    isOn ? null : h('p', { class: 'doc-reason', text: [CAUSES[info.disabled_cause] || 'webhook.cause_user', { time: () => moment(info.disabled_at) }] }),
    more,
    h('div', { class: 'schedule-buttons' },
      isOn ? button('webhook.test', 'test') : null,
      isOn ? button('webhook.disable', 'disable') : button('webhook.enable', 'enable'),
      button('schedule.change', 'change'),
      button('webhook.rotate', 'rotate'),
      button('schedule.delete', 'delete', 'quiet')));
}
