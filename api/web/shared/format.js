// Formats numbers, sizes and times in the current language.

import { locale } from './i18n.js';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

function inUnit(value, unit, digits = 0) {
  return new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits })
    .format(value);
}

/** 1536 → "1.5 kB" (Intl's own short form would say "2 byte"). */
export function bytes(count) {
  let value = count;
  let step = 0;
  while (value >= 1000 && step < UNITS.length - 1) {
    value /= 1000;
    step += 1;
  }
  const number = new Intl.NumberFormat(locale(), { maximumFractionDigits: step && value < 100 ? 1 : 0 });
  return `${number.format(value)} ${UNITS[step]}`;
}

/** Seconds → "40 sec", "3 min", "2.5 hr". */
export function duration(seconds) {
  if (seconds < 90) return inUnit(Math.max(1, Math.round(seconds)), 'second');
  if (seconds < 5400) return inUnit(Math.round(seconds / 60), 'minute');
  return inUnit(seconds / 3600, 'hour', 1);
}

export const percent = (share) => new Intl.NumberFormat(locale(), { style: 'percent' }).format(share);

/** An ISO time → the time of day, or the date for another day. */
export function shortMoment(value) {
  const date = new Date(value);
  const today = date.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(locale(), today ? { timeStyle: 'short' } : { dateStyle: 'medium' }).format(date);
}

/** An ISO time or seconds since 1970 → the time of day, with the date for another day. */
export function moment(value, timeStyle = 'short') {
  const date = new Date(typeof value === 'number' ? value * 1000 : value);
  if (Number.isNaN(date.getTime())) return '';
  const today = date.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(locale(), today ? { timeStyle } : { dateStyle: 'medium', timeStyle: 'short' })
    .format(date);
}

/** An ISO time → date and time with seconds, always. */
export const exactMoment = (value) =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(value));
