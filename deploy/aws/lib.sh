# shellcheck shell=bash
# What `release` and `run` have in common. To be sourced.

say() { printf '==> %s\n' "$*" >&2; }
die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# region: where the stacks are, as config.json says.
region() {
	node -e '
		const fs = require("node:fs");
		const f = process.argv[1];
		const c = fs.existsSync(f) ? JSON.parse(fs.readFileSync(f, "utf8")) : {};
		console.log(c.region ?? "eu-central-1");
	' "$here/config.json"
}

# output STACK NAME: an output of a stack.
output() {
	local value
	value=$(aws cloudformation describe-stacks --stack-name "Ridecopilot-$1" \
		--query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue" --output text)
	if [ -z "$value" ] || [ "$value" = None ]; then
		die "The stack Ridecopilot-$1 has no output $2: has it been deployed?"
	fi
	printf '%s\n' "$value"
}

# run_task STACK STREAM OVERRIDES: runs the task of a stack once, waits for its
# end, prints its log, and ends as it did.
run_task() {
	local stack=$1 stream=$2 overrides=$3 cluster definition network group task id status code reason
	cluster=$(output "$stack" Cluster)
	definition=$(output "$stack" Task)
	network=$(output "$stack" Network)
	group=$(output "$stack" LogGroup)
	# The overrides may hold a password, and arguments can be seen by others on this machine.
	task=$(aws ecs run-task --cluster "$cluster" --launch-type FARGATE --count 1 --started-by "$stream" \
		--task-definition "$definition" --network-configuration "$network" \
		--overrides file:///dev/stdin --query 'tasks[0].taskArn' --output text <<<"$overrides")
	if [ -z "$task" ] || [ "$task" = None ]; then
		die "The task could not be started: see the events of the cluster $cluster."
	fi
	id=${task##*/}
	say "task $id is started"
	# `aws ecs wait` gives up after ten minutes; a migration may take longer.
	while :; do
		status=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].lastStatus' --output text)
		[ "$status" != STOPPED ] || break
		sleep "${POLL_SECONDS:-5}"
	done
	aws logs get-log-events --log-group-name "$group" --log-stream-name "$stream/ridecopilot/$id" \
		--start-from-head --query 'events[].[message]' --output text || say "it has no log: it did not get as far as to start"
	code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].containers[0].exitCode' --output text)
	if [ "$code" != 0 ]; then
		reason=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].[stoppedReason,containers[0].reason]' --output text)
		die "The task ended with $code: $reason"
	fi
}
