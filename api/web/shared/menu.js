// A button that opens a menu. The page has one menu element, refilled each time it opens.

import { h } from './dom.js';
import { icon } from './icons.js';

const menu = h('div', { class: 'menu', id: 'menu', role: 'menu', popover: 'auto' });
let opener = null;

menu.addEventListener('toggle', (event) => {
  if (event.newState === 'open' || !opener) return;
  opener.setAttribute('aria-expanded', 'false');
  opener = null;
});

menu.addEventListener('keydown', (event) => {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === 'Tab') menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length).focus();
});

window.addEventListener('resize', () => menu.matches(':popover-open') && menu.hidePopover());

/** `label`: key or [key, params] of what the menu is for. `items()`: [{text: key, run(), danger}]. */
export function menuButton(label, items) {
  const button = h('button', {
    type: 'button', class: 'icon', 'aria-haspopup': 'menu', 'aria-expanded': 'false', labels: { 'aria-label': label },
    on: { click: () => open(button, label, items()) },
  }, icon('dots'));
  return button;
}

function open(button, label, items) {
  if (!menu.isConnected) document.querySelector('main').append(menu);
  menu.setAttribute('aria-label', button.getAttribute('aria-label'));
  menu.replaceChildren(...items.map(({ text, run, danger }) => h('button', {
    type: 'button', role: 'menuitem', tabindex: '-1', class: danger ? 'bad' : '', text,
    on: {
      click: () => {
        menu.hidePopover();
        button.focus();
        run();
      },
    },
  })));
  menu.showPopover();
  opener = button;
  button.setAttribute('aria-expanded', 'true');
  const box = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = box.bottom + height + 8 < window.innerHeight;
  menu.style.left = `${Math.max(8, Math.min(box.right - width, window.innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, below ? box.bottom + 4 : box.top - height - 4)}px`;
  menu.firstElementChild.focus();
}
