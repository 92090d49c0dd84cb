yes 'flood flood flood flood flood flood flood flood' >&2 &
yes "$(printf '\033[2J\001<script>alert(1)</script>')"
