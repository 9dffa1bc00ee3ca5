import * as vscode from 'vscode';

/** 0.234 → `23 %`, in the language of the window: two digits that tell, and never a 0 for what is not 0. */
export function percent(share: number): string {
  if (Number.isNaN(share)) return '–';
  const least = 0.0001;
  const format = new Intl.NumberFormat(vscode.env.language, { style: 'percent', maximumSignificantDigits: 2 });
  return share > 0 && share < least ? `< ${format.format(least)}` : format.format(share);
}

export function decimal(value: number, digits = 2): string {
  if (Number.isNaN(value)) return '–';
  return new Intl.NumberFormat(vscode.env.language, { maximumFractionDigits: digits }).format(value);
}

export function megabytes(bytes: number): string {
  return vscode.l10n.t('{0} MB', decimal(bytes / 1_000_000, bytes < 10_000_000 ? 1 : 0));
}
