// What a re-index has to do, as a table of facts.

import { h } from '../shared/dom.js';
import { bytes, duration } from '../shared/format.js';
import { t } from '../shared/i18n.js';

/** Whether a plan finds the index as it would be built. */
const isEmpty = (plan) => !(plan.parsed_again || plan.cut_again || plan.embedded_again);

/** The text of how documents are cut, as [key, params]. */
export const cutting = (chunking) =>
  ['reindex.cut_short', { max: chunking.max_tokens, overlap: chunking.overlap_tokens }];

/** A plan as elements. */
export function planned(plan) {
  if (plan.settings_differ) return [h('p', { text: 'reindex.settings' })];
  if (isEmpty(plan)) return [h('p', { text: ['reindex.nothing', { n: plan.documents }] })];
  const number = (value) => ['app.value', { value }];
  const about = (value) => ['reindex.about', { value }];
  const facts = [
    ['reindex.documents', number(plan.documents)],
    ['reindex.parsed_again', number(plan.parsed_again)],
    ['reindex.cut_again', number(plan.cut_again)],
    ['reindex.embedded_again', number(plan.embedded_again)],
    ['reindex.chunks', ['reindex.chunks_change', { now: plan.chunks, then: plan.new_chunks }]],
    ['reindex.embedded', about(plan.embedded)],
    ['reindex.tokens', about(plan.tokens)],
    ['reindex.disk', about(() => bytes(plan.bytes))],
    ['reindex.time', about(() => duration(plan.seconds))],
  ];
  return [
    h('dl', { class: 'facts' }, ...facts.map(([name, value]) =>
      h('div', {}, h('dt', { text: name }), h('dd', { text: value })))),
    h('p', { class: 'help', text: ['reindex.sampled', { n: plan.sampled }] }),
  ];
}

/** A finished estimate under its heading. */
export function estimate(info) {
  const [key, params] = cutting(info.chunking);
  return [h('h3', { text: ['reindex.planned', { cut: () => t(key, params) }] }), ...planned(info.plan)];
}
