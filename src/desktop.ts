/** Notifications on the desktop of the machine that the server runs on. */

export interface Shown {
  success: boolean;
  /** Why nothing was shown. */
  reason?: string;
}

export interface Desktop {
  /** Shows a notification; never throws, and answers within five seconds. */
  show(notice: { title: string; message: string; sound: boolean }): Promise<Shown>;
}
