"""Takes bookings."""
