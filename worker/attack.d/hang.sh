trap '' TERM INT HUP QUIT ALRM
while :; do sleep 100; done
