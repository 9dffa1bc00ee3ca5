import * as vscode from 'vscode';

export interface Item<T> extends vscode.QuickPickItem {
  readonly value: T;
  readonly buttons?: readonly Act<T>[];
}

/** A button of an item, which gives another answer. */
export interface Act<T> extends vscode.QuickInputButton {
  readonly value: T;
}

/** Resolves to what was picked; undefined if the person closed the box, at this question or an earlier one. */
export type Ask = <T>(items: readonly Item<T>[], title: string, placeholder?: string) => Promise<T | undefined>;

/**
 * Asks several questions in the same box. With one box for each, VS Code would give the focus back in between, and a panel that
 * receives it late would close the next box.
 */
export async function asking<T>(body: (ask: Ask) => Promise<T>): Promise<T> {
  const box = vscode.window.createQuickPick<Item<unknown>>();
  box.matchOnDescription = true;
  box.matchOnDetail = true;
  let closed = false;
  box.onDidHide(() => (closed = true));
  const ask = (items: readonly Item<unknown>[], title: string, placeholder?: string) =>
    new Promise<unknown>((resolve) => {
      if (closed) {
        resolve(undefined);
        return;
      }
      const answer = (given: { readonly value: unknown } | undefined) => {
        listening.dispose();
        resolve(given?.value);
      };
      const listening = vscode.Disposable.from(
        box.onDidAccept(() => answer(box.selectedItems[0])),
        box.onDidTriggerItemButton(({ button }) => answer(button as Act<unknown>)),
        box.onDidHide(() => answer(undefined)),
      );
      box.title = title;
      box.placeholder = placeholder;
      box.value = '';
      box.items = items;
      box.show();
    });
  try {
    return await body(ask as Ask);
  } finally {
    box.dispose();
  }
}
