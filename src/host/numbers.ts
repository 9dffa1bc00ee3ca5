import * as vscode from 'vscode';

/** 0.234 → `23 %`, in the language of the window; a digit more below 10 %. */
export function percent(share: number): string {
  if (Number.isNaN(share)) return '–';
  const digits = share > 0 && share < 0.0995 ? 1 : 0;
  return new Intl.NumberFormat(vscode.env.language, { style: 'percent', maximumFractionDigits: digits }).format(share);
}

export function decimal(value: number, digits = 2): string {
  if (Number.isNaN(value)) return '–';
  return new Intl.NumberFormat(vscode.env.language, { maximumFractionDigits: digits }).format(value);
}

export function megabytes(bytes: number): string {
  return vscode.l10n.t('{0} MB', decimal(bytes / 1_000_000, bytes < 10_000_000 ? 1 : 0));
}
