// How a custom resource answers CloudFormation.

/**
 * Runs act for a request of CloudFormation, and tells it what came of it.
 * CloudFormation waits for an hour if it is not told, so a failure is an answer.
 * @param {{ RequestType: string, ResponseURL: string, StackId: string, RequestId: string, LogicalResourceId: string,
 *   PhysicalResourceId?: string, ResourceProperties: Record<string, string> }} event
 * @param {(properties: Record<string, string>) => Promise<Record<string, string>>} act
 */
export async function answer(event, act) {
  const body = {
    Status: 'SUCCESS',
    Reason: '',
    PhysicalResourceId: event.PhysicalResourceId ?? event.ResourceProperties.secret,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    /** @type {Record<string, string>} */
    Data: {},
  };
  try {
    // The secret goes with its own resource: there is nothing to do for Delete.
    if (event.RequestType !== 'Delete') {
      body.Data = await act(event.ResourceProperties);
      body.PhysicalResourceId = event.ResourceProperties.secret;
    }
  } catch (e) {
    body.Status = 'FAILED';
    body.Reason = e instanceof Error ? e.message : String(e);
    console.error(body.Reason);
  }
  await send(event.ResponseURL, body);
}

/**
 * @param {string} url
 * @param {object} body
 */
async function send(url, body) {
  for (let tries = 1; ; tries++) {
    try {
      // As bytes: with text, fetch adds a Content-Type, which the URL is not signed for.
      const res = await fetch(url, { method: 'PUT', body: new TextEncoder().encode(JSON.stringify(body)) });
      if (!res.ok) throw new Error(`CloudFormation's answer address said ${res.status}`);
      return;
    } catch (e) {
      if (tries === 3) throw e;
    }
  }
}
