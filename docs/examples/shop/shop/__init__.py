"""A small shop: orders, payments, webhooks, notifications, a daily report and bulk mail."""
