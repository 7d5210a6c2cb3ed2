// The last hour: sums, and two charts with a bar for each minute, drawn as SVG.

import { $, h } from '../shared/dom.js';
import { bindAttr, t } from '../shared/i18n.js';
import { moment } from '../shared/format.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 72;
const GAP = 2;

const PARTS = [
  {
    title: 'operations.documents',
    sums: [['ready', 'operations.ready'], ['failed', 'operations.failed'], ['chunks', 'operations.chunks']],
    kinds: ['ready', 'failed'],
    chart: 'operations.documents_chart',
    minute: 'operations.documents_minute',
  },
  {
    title: 'operations.questions',
    sums: [['asked', 'operations.asked'], ['answered', 'operations.answered'], ['refused', 'operations.refused'],
      ['unanswered', 'operations.unanswered']],
    kinds: ['answered', 'refused', 'unanswered'],
    chart: 'operations.questions_chart',
    minute: 'operations.questions_minute',
  },
];

export class ThroughputView {
  show(found) {
    this.found = found;
    const times = found.p50_seconds === null ? [] : [
      sum('operations.p50', ['operations.seconds', { value: found.p50_seconds }], 'p50'),
      sum('operations.p95', ['operations.seconds', { value: found.p95_seconds }], 'p95')];
    $('ops-throughput').replaceChildren(...PARTS.map((part) => h('div', { class: 'ops-part' },
      h('h3', { text: part.title }),
      h('dl', { class: 'ops-sums' },
        ...part.sums.map(([name, key]) => sum(key, ['app.value', { value: found[name] }], name)),
        ...(part.kinds.includes('answered') ? times : [])),
      figure(found, part))));
  }

  relanguage() {
    if (this.found) this.show(this.found);
  }

  clear() {
    this.found = null;
    $('ops-throughput').replaceChildren();
  }
}

const sum = (key, value, name) => h('div', { data: { sum: name } }, h('dt', { text: key }), h('dd', { text: value }));

function figure(found, { kinds, chart, minute }) {
  const heights = found.minutes.map((each) => kinds.reduce((total, kind) => total + each[kind], 0));
  const most = Math.max(...heights, 0);
  const picture = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  bindAttr(picture, 'aria-label', chart, { ...found, most });
  const step = WIDTH / found.minutes.length;
  found.minutes.forEach((each, index) => {
    const column = draw('g', {});
    const about = draw('title', {});
    about.textContent = t(minute, { ...each, when: moment(each.at) });
    column.append(about, draw('rect', { class: 'ops-column', x: index * step, y: 0, width: step, height: HEIGHT }));
    let top = HEIGHT;
    for (const kind of kinds.filter((name) => each[name])) {
      const height = (each[kind] / most) * (HEIGHT - 2);
      top -= height;
      column.append(draw('rect', { class: `ops-bar-${kind}`, x: index * step + GAP / 2, y: top, width: step - GAP, height }));
    }
    picture.append(column);
  });
  const [first, last] = [found.minutes[0], found.minutes.at(-1)];
  return h('figure', { class: 'ops-chart' }, picture,
    h('figcaption', {},
      h('span', { text: ['app.value', { value: () => moment(first.at) }] }),
      h('span', { text: ['operations.most', { n: most }] }),
      h('span', { text: ['app.value', { value: () => moment(last.at) }] })));
}

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
