// How the signed log stands, and its export.

import { call } from '../shared/api.js';
import { h } from '../shared/dom.js';
import { exactMoment } from '../shared/format.js';
import { saving } from './saving.js';

/** A card that says whether the log is whole, how long it is, and which key verifies it. */
export async function logCard() {
  const head = (state, text) => h('div', { class: 'audit-list-head' }, h('h2', { id: 'audit-log-title', text: 'audit.log' }),
    state ? h('span', { class: 'pill', data: { state }, text }) : null);
  const card = (...children) => h('section', { class: 'card audit-card', 'aria-labelledby': 'audit-log-title' }, ...children);
  let log;
  try {
    log = await call('GET', '/audit/log');
  } catch (problem) {
    if ([401, 403].includes(problem.status)) throw problem;
    return card(head(), h('p', { class: 'problem', text: 'audit.log_unknown' }));
  }
  return card(head(...stateOf(log)),
    log.problem ? h('p', { class: 'problem' }, log.problem) : null,
    h('ul', { class: 'audit-log' },
      h('li', { text: ['audit.log_size', { n: log.size }] }),
      log.waiting ? h('li', { text: ['audit.log_waiting', { n: log.waiting }] }) : null,
      log.first ? h('li', { text: ['audit.log_dropped', { n: log.first }] }) : null,
      h('li', { text: log.check_ended_at ? ['audit.log_checked', { when: () => exactMoment(log.check_ended_at) }] : 'audit.log_unchecked' })),
    log.public_key ? h('div', {}, h('p', { class: 'help', text: 'audit.log_key' }), h('code', { class: 'audit-key' }, log.public_key)) : null,
    log.public_key ? saving('audit.log_export', '/audit/log/export', 'audit-log.jsonl') : null);
}

/** The state of the log: whole, once all its events were compared. */
function stateOf(log) {
  if (log.problem) return ['failed', 'audit.log_tampered'];
  if (!log.size) return ['waiting', 'audit.log_unsigned'];
  return log.check_ended_at ? ['ready', 'audit.log_whole'] : ['ready', 'audit.log_signed'];
}
