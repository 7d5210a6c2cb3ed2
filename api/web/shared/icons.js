// The page's icons, 20 by 20, one stroke.

const SVG = 'http://www.w3.org/2000/svg';

const PATHS = {
  menu: 'M3 5.5h14M3 10h14M3 14.5h14',
  close: 'M5 5l10 10M15 5L5 15',
  dots: 'M5 10h.01M10 10h.01M15 10h.01',
  write: 'M10.5 4.5H5a1.5 1.5 0 0 0-1.5 1.5v9A1.5 1.5 0 0 0 5 16.5h9a1.5 1.5 0 0 0 1.5-1.5V9.5M8 12l.5-2.5 6.5-6.5 2 2-6.5 6.5z',
  documents: 'M6 3h5.5L15 6.5V17H6zM11 3v4h4M8.5 10.5h4M8.5 13.5h4',
  layers: 'M10 3l7 3.5-7 3.5-7-3.5zM3 10l7 3.5 7-3.5M3 13.5L10 17l7-3.5',
  copy: 'M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3',
  again: 'M15.5 8.5A6 6 0 1 0 16 11M16 4.5v4h-4',
  up: 'M3.5 9h3v7h-3zM6.5 9.5L10 3.5c1.3 0 2 .8 2 2L11.5 8.5H15c1 0 1.7.9 1.5 1.8l-1 4.5c-.2.8-.8 1.2-1.5 1.2H6.5',
  down: 'M3.5 4h3v7h-3zM6.5 10.5L10 16.5c1.3 0 2-.8 2-2L11.5 11.5H15c1 0 1.7-.9 1.5-1.8l-1-4.5C15.3 4.4 14.7 4 14 4H6.5',
  settings: 'M3 6h7M14 6h3M3 14h3M10 14h7M12 4v4M8 12v4',
  pulse: 'M2.5 10.5h3.5l2.5-6 3.5 11 2.5-5h3',
  person: 'M10 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 16.5c.6-3 3-4.5 6-4.5s5.400 1.500 6 4.500',
  people: 'M7.500 9.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM2.500 15.500c.5-2.500 2.400-4 5-4s4.500 1.500 5 4M13 9.500a2.500 2.500 0 1 0-1-4.800M14.500 11.800c1.600.5 2.600 1.800 3 3.700',
  shield: 'M10 2.500l6 2.500v4.500c0 3.800-2.500 6.700-6 8-3.500-1.300-6-4.200-6-8V5zM7.500 9.800l1.800 1.800 3.400-3.600',
  lock: 'M5 9h10v7.500H5zM7 9V6.500a3 3 0 0 1 6 0V9',
  end: 'M10 4v12M5 11l5 5 5-5',
};

/** An icon, hidden from screen readers; the element around it carries the label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', `drawn drawn-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/** Insert the icons that the page's markup declares with `data-icon`. */
export function drawIcons() {
  for (const element of document.querySelectorAll('[data-icon]')) element.prepend(icon(element.dataset.icon));
}
