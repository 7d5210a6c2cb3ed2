// The quality gate of a re-index: both indexes on the same questions, as a table.

import { h } from '../shared/dom.js';
import { locale } from '../shared/i18n.js';

const MEASURES = { recall_at_1: 'gate.recall_at_1', answers: 'gate.answers', search_p95: 'gate.search_p95' };

function figure(measure, value, signDisplay = 'auto') {
  const number = (options) => new Intl.NumberFormat(locale(), { signDisplay, ...options }).format(value);
  if (measure.name === 'search_p95') {
    return ['gate.milliseconds', { value: () => number({ maximumFractionDigits: 0 }) }];
  }
  return ['app.value', { value: () => number({ style: 'percent', maximumFractionDigits: 1 }) }];
}

function row(measure) {
  const { low, high } = measure;
  const shown = (value) => h('span', { text: figure(measure, value, 'exceptZero') });
  const interval = low === null ? [h('span', { text: 'gate.too_few' })] : [shown(low), ' … ', shown(high)];
  return h('tr', {},
    h('th', { scope: 'row', text: MEASURES[measure.name] }),
    h('td', { text: figure(measure, measure.live) }),
    h('td', { text: figure(measure, measure.new) }),
    h('td', { text: figure(measure, measure.difference, 'exceptZero') }),
    h('td', {}, ...interval));
}

const COLUMNS = ['gate.measure', 'gate.live', 'gate.new', 'gate.difference', 'gate.interval'];

/** The report as elements: a table, the questions that got worse, and who overrode it. */
export function gateReport(gate) {
  if (!gate.questions) return [h('p', { class: 'help', text: 'gate.none' })];
  if (!gate.measures.length) return [];
  const worse = gate.worse.map((each) => (each.question_id
    ? h('li', { text: ['gate.question', { id: each.question_id }] }) : h('li', {}, each.question)));
  return [
    h('div', { class: 'gate-scroll', tabindex: '0', role: 'group', labels: { 'aria-label': 'gate.stage' } },
      h('table', { class: 'gate' },
        h('caption', { text: ['gate.title', { n: gate.questions }] }),
        h('thead', {}, h('tr', {}, ...COLUMNS.map((key) => h('th', { scope: 'col', text: key })))),
        h('tbody', {}, ...gate.measures.map(row)))),
    worse.length ? h('details', { class: 'more' },
      h('summary', { text: ['gate.worse', { n: gate.worse_count }] }), h('ul', { class: 'gate-worse' }, ...worse)) : null,
    gate.overridden_by ? h('p', { class: 'help',
      text: ['gate.overridden', { actor: gate.overridden_by, reason: gate.override_reason }] }) : null,
  ].filter(Boolean);
}
